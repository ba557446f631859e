package lab

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
)

// planted are cells where packing pays exactly when truth packs: by a factor of 2 to 4, with rounds that scatter less.
func planted(random *rand.Rand, truth Thresholds) (cells []Cell) {
	for _, files := range []int64{1, 50, 100, 500, 1000, 2000} {
		for _, size := range []int64{1 << 10, 1 << 20, 4 << 20, 16 << 20} {
			c := Cell{Title: "cell", Files: files, Bytes: files * size}
			factor, direct := 2+2*random.Float64(), 1+random.Float64()
			if truth.Packs(c.Files, c.Bytes) {
				factor = 1 / factor
			}
			for range 3 {
				c.Direct = append(c.Direct, direct*(1+0.1*random.Float64()))
				c.Zip = append(c.Zip, factor*direct*(1+0.1*random.Float64()))
			}
			cells = append(cells, c)
		}
	}
	return cells
}

func TestThresholdsThatSplitTheFiguresAreFound(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, files := range []int64{0, 20, 70, 300, 700, 1500, 3000} {
		for _, size := range []int64{0, 1 << 15, 2 << 20, 8 << 20, 20 << 20} {
			truth := Thresholds{files, size}
			cells := planted(random, truth)
			found := Recommend(cells)
			for _, c := range cells {
				if found.Packs(c.Files, c.Bytes) != truth.Packs(c.Files, c.Bytes) {
					t.Errorf("packing pays by %+v, and %+v is recommended", truth, found)
				}
			}
			if found.Worst != 1 {
				t.Errorf("%+v: AUTO is said to be %.3f times as slow", truth, found.Worst)
			}
		}
	}
}

func TestNoOtherThresholdsAreBetterInTheirWorstCell(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		var cells []Cell
		for range 1 + random.IntN(12) {
			files := 1 + random.Int64N(2000)
			cells = append(cells, Cell{Title: "cell", Files: files, Bytes: files * random.Int64N(16<<20),
				Direct: []float64{1 + random.Float64(), 1 + random.Float64()}, Zip: []float64{1 + random.Float64(), 1 + random.Float64()}})
		}
		found := Recommend(cells)
		for _, c := range cells {
			if c.Times(found.Strategy(c.Files, c.Bytes)) > found.Worst {
				t.Fatalf("%+v is worse than the bound of %+v", c, found)
			}
		}
		for range 60 {
			other := Thresholds{random.Int64N(2500), random.Int64N(20 << 20)}
			if costOf(other, cells).less(costOf(found.Thresholds, cells)) {
				t.Fatalf("%+v is better than %+v for %+v", other, found, cells)
			}
		}
	}
}

func TestWhatNoiseExplainsIsNotPacked(t *testing.T) {
	t.Parallel()
	cells := []Cell{
		{Title: "scattered", Files: 2000, Bytes: 2000 << 10, Direct: []float64{1, 3, 5}, Zip: []float64{0.8, 2, 4}},
		{Title: "one slow round of three", Files: 100, Bytes: 100, Direct: []float64{3.2, 3.7, 4.9}, Zip: []float64{2.6, 2.9, 7.5}},
		{Title: "close", Files: 500, Bytes: 500 << 10, Direct: []float64{1, 1, 1}, Zip: []float64{0.97, 0.97, 0.97}},
	}
	r := Recommend(cells)
	if !r.Never() || r.Worst != 1.5 || r.WorstCell != "scattered" || !strings.Contains(r.Why, "Nothing tells the strategies apart") {
		t.Errorf("%+v", r)
	}
	if cells[0].Better() != transfer.Auto || cells[1].Better() != transfer.Auto || cells[2].Better() != transfer.Auto {
		t.Error("a difference is seen where there is none")
	}
}

func TestOneSlowRoundDecidesNothing(t *testing.T) {
	t.Parallel()
	c := Cell{Title: "cell", Files: 2000, Bytes: 2000, Direct: []float64{2, 2.1, 2, 2.2, 2}, Zip: []float64{1, 30, 1.05, 1.1, 1}}
	if c.Better() != transfer.ZipFirst || Recommend([]Cell{c}).Never() {
		t.Errorf("%v", c.Better())
	}
}

func TestThePolicyIsThePlanners(t *testing.T) {
	t.Parallel()
	brief := Thresholds{Files: 100, AvgSize: 4 << 20}
	for _, c := range []struct {
		files, bytes int64
		packs        bool
	}{{100, 100, false}, {101, 101, true}, {101, 101 * 4 << 20, false}, {101, 101*4<<20 - 1, true}, {1, 5 << 30, false}, {2001, 2<<30 + 2000<<10, true}} {
		if brief.Packs(c.files, c.bytes) != c.packs {
			t.Errorf("%+v", c)
		}
	}
}
