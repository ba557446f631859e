package lab

import (
	"fmt"
	"math"
	"slices"

	"github.com/ketter/ketter/engine/transfer"
)

// Thresholds are those of the planner: a folder is packed when it has more files than Files, of less than AvgSize bytes on
// average.
type Thresholds struct {
	Files   int64 `json:"files"`
	AvgSize int64 `json:"avg_size_bytes"`
}

// Packs reports whether such a folder is ZIP_FIRST.
func (t Thresholds) Packs(files, bytes int64) bool {
	return files > t.Files && bytes/files < t.AvgSize // a quotient that is rounded down is below a whole number when the exact one is
}

// Never reports whether nothing is ever packed.
func (t Thresholds) Never() bool { return t.AvgSize == 0 }

// Strategy is the planner's verdict on such a folder.
func (t Thresholds) Strategy(files, bytes int64) transfer.Strategy {
	if t.Packs(files, bytes) {
		return transfer.ZipFirst
	}
	return transfer.Direct
}

// Cell is a folder that was copied by both strategies, and how long each took, round by round.
type Cell struct {
	Name   string    `json:"name"`
	Title  string    `json:"title"`
	Files  int64     `json:"files"`
	Bytes  int64     `json:"bytes"`
	Direct []float64 `json:"direct_seconds"`
	Zip    []float64 `json:"zip_first_seconds"`
}

// Medians are those of DIRECT and of ZIP_FIRST, in seconds.
func (c Cell) Medians() (direct, zip float64) { return median(c.Direct), median(c.Zip) }

func (c Cell) avg() int64 { return c.Bytes / c.Files }

// Better is the strategy that took less time, AUTO if noise explains the difference.
func (c Cell) Better() transfer.Strategy {
	switch faster(c.Zip, c.Direct) {
	case -1:
		return transfer.ZipFirst
	case 1:
		return transfer.Direct
	default:
		return transfer.Auto
	}
}

// Times is how many times as long a strategy took as the better one, by medians.
func (c Cell) Times(s transfer.Strategy) float64 {
	direct, zip := c.Medians()
	if s == transfer.ZipFirst {
		return zip / min(direct, zip)
	}
	return direct / min(direct, zip)
}

// regret is Times without what noise explains.
func (c Cell) regret(s transfer.Strategy) float64 {
	if c.Better() == transfer.Auto {
		return 1
	}
	return c.Times(s)
}

// Recommendation is a pair of thresholds and what it rests on.
type Recommendation struct {
	Thresholds
	// Worst is how many times as long AUTO takes as the better strategy, at most, by the medians of the cells; WorstCell is where.
	Worst     float64 `json:"worst"`
	WorstCell string  `json:"worst_cell"`
	Why       string  `json:"why"`
}

// Recommend chooses the thresholds under which AUTO is never far behind the better strategy: those whose worst cell is the least
// bad; of several the least bad on average; of several such, those that pack less. A difference that noise explains is none.
// Between two values that were measured lies a threshold at their geometric mean; what was not measured on the far side
// of the last one isn't packed.
func Recommend(cells []Cell) Recommendation {
	best := Thresholds{Files: defaultFiles} // AvgSize 0: never
	least := costOf(best, cells)
	for _, t := range candidates(cells) {
		if c := costOf(t, cells); c.less(least) {
			best, least = t, c
		}
	}
	r := Recommendation{Thresholds: best, Worst: 1}
	noisy := false
	for _, c := range cells {
		if times := c.Times(best.Strategy(c.Files, c.Bytes)); times > r.Worst || r.WorstCell == "" {
			r.Worst, r.WorstCell, noisy = times, c.Title, c.Better() == transfer.Auto
		}
	}
	r.Why = why(best, cells, r)
	if noisy && r.Worst >= leastDifference {
		r.Why += " There, noise explains the difference."
	}
	return r
}

// defaultFiles stands where nothing is ever packed: it decides nothing then.
const defaultFiles = 1000

// cost is what thresholds are compared by.
type cost struct{ worst, sum float64 }

func costOf(t Thresholds, cells []Cell) (c cost) {
	for _, cell := range cells {
		regret := cell.regret(t.Strategy(cell.Files, cell.Bytes))
		c.worst, c.sum = max(c.worst, regret), c.sum+math.Log(regret)
	}
	return c
}

const hardly = 1e-9 // apart, for sums of floating point

func (c cost) less(than cost) bool {
	if math.Abs(c.worst-than.worst) > hardly {
		return c.worst < than.worst
	}
	return c.sum < than.sum-hardly
}

// candidates are all pairs that tell the cells apart differently, those that pack less first.
func candidates(cells []Cell) (all []Thresholds) {
	var files, sizes []int64
	for _, c := range cells {
		files, sizes = append(files, c.Files), append(sizes, c.avg())
	}
	averages := between(sizes)
	fewest := between(files)
	slices.Reverse(fewest)
	for _, size := range averages {
		for _, n := range fewest {
			all = append(all, Thresholds{Files: n - 1, AvgSize: size})
		}
	}
	return all
}

// between are the numbers that split values into those below and the others, from the first above the least to the first above
// the greatest, with the least itself before: with it, nothing is below.
func between(values []int64) (splits []int64) {
	sorted := slices.Compact(slices.Sorted(slices.Values(values)))
	for i, v := range sorted {
		if i == 0 {
			splits = append(splits, v)
		} else {
			middle := int64(math.Ceil(math.Sqrt(float64(sorted[i-1]) * float64(v))))
			splits = append(splits, min(max(middle, sorted[i-1]+1), v))
		}
	}
	if len(sorted) > 0 {
		splits = append(splits, sorted[len(sorted)-1]+1)
	}
	return splits
}

// why says in words what the figures say.
func why(t Thresholds, cells []Cell, r Recommendation) string {
	zip, direct, packed := 0, 0, 0
	for _, c := range cells {
		switch c.Better() {
		case transfer.ZipFirst:
			zip++
		case transfer.Direct:
			direct++
		}
		if t.Packs(c.Files, c.Bytes) {
			packed++
		}
	}
	text := fmt.Sprintf("Of %d data sets ZIP_FIRST was faster in %d, DIRECT in %d, and of the other %d noise explains the difference. ",
		len(cells), zip, direct, len(cells)-zip-direct)
	switch {
	case zip+direct == 0:
		text += "Nothing tells the strategies apart here, so nothing is packed"
	case t.Never() && zip == 0:
		text += "Packing gains nothing between these volumes, so nothing is packed"
	case t.Never():
		text += "Whatever thresholds pack those, others lose more by it than those gain, so nothing is packed"
	case packed == len(cells):
		text += "All of them are packed; nothing that was measured is better left as it is"
	default:
		text += fmt.Sprintf("These thresholds pack %d of them", packed)
	}
	return text + fmt.Sprintf(": by the medians AUTO takes at most %.2f times as long as the better strategy (%s).", r.Worst, r.WorstCell)
}
