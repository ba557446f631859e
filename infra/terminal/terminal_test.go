package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWidthIsCountedInCells(t *testing.T) {
	t.Parallel()
	for text, cells := range map[string]int{
		"": 0, "plain": 5, "Séance": 6, "Se\u0301ance": 6, "音声": 4, "🎬": 2, "…": 1, "a\u200db": 2, "ｆｕｌｌ": 8,
	} {
		if got := Width(text); got != cells {
			t.Errorf("%q takes %d cells, not %d", text, got, cells)
		}
	}
}

func TestAMiddleIsLeftOutWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		cells int
		want  string
	}{
		{"/mnt/nexis/ep101", 16, "/mnt/nexis/ep101"},
		{"/mnt/nexis/ep101", 15, "/mnt/ne…s/ep101"},
		{"/mnt/nexis/ep101", 3, "/…1"},
		{"/mnt", 2, "/m"},
		{"音声音声音声", 7, "音…音声"},
		{"e\u0301e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301…e\u0301"},
	} {
		got := Middle(test.text, test.cells)
		if got != test.want {
			t.Errorf("%q in %d cells is %q, not %q", test.text, test.cells, got, test.want)
		}
	}
}

func FuzzWhatWasFittedFits(f *testing.F) {
	f.Add("/mnt/音声/Se\u0301ance 🎬/take 0001.wav", 9)
	f.Add("\u0301\u0301", 0)
	f.Fuzz(func(t *testing.T, text string, cells int) {
		cells = max(0, cells%100)
		got := Middle(text, cells)
		if Width(got) > cells || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q in %d cells is %q, of %d", text, cells, got, Width(got))
		}
	})
}

// aTable is one with something of everything.
func aTable(out *bytes.Buffer, width int) *Table {
	table := &Table{Out: out, Width: width, Columns: []Column{
		{Title: "ID", Right: true}, {Title: "STATUS"}, {Title: "ERROR", Least: 18, Spare: 1}, {Title: "EMPTY"},
		{Title: "SIZE", Right: true, Spare: 3}, {Title: "WHEN", Spare: 2}, {Title: "FROM", Least: 15}, {Title: "TO", Least: 15},
	}}
	for i := range 6 {
		table.Row(Cell{Text: fmt.Sprint(i)}, Cell{Text: "failed", Colour: Red}, Cell{Text: "destination_exists"}, Cell{},
			Cell{Text: "1.0 GB"}, Cell{Text: "Nov 28 06:33"}, Cell{Text: "/mnt/nexis/音声/Session " + fmt.Sprint(i)}, Cell{Text: "SRVTRF:/in/" + strings.Repeat("deep/", i)})
	}
	return table
}

func TestNoLineOfATableIsLongerThanItsTerminal(t *testing.T) {
	t.Parallel()
	for width := 1; width < 130; width++ {
		var out bytes.Buffer
		if err := aTable(&out, width).Flush(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); Width(line) > width {
				t.Fatalf("%d columns: %q takes %d", width, line, Width(line))
			}
		}
	}
}

func TestColumnsThatDontFitAreLeftOutTheSparestFirst(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		0:   "ID STATUS ERROR SIZE WHEN FROM TO",
		200: "ID STATUS ERROR SIZE WHEN FROM TO",
		74:  "ID STATUS ERROR SIZE FROM TO", // there is no room for WHEN
		60:  "ID STATUS WHEN FROM TO",
		45:  "ID STATUS FROM TO",
	} {
		var out bytes.Buffer
		if err := aTable(&out, width).Flush(); err != nil {
			t.Fatal(err)
		}
		titles, _, _ := strings.Cut(out.String(), "\n")
		if got := strings.Join(strings.Fields(titles), " "); got != want {
			t.Errorf("%d columns: %s, not %s", width, got, want)
		}
	}
}

func TestLaterPagesOfATableAreNoNarrower(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := &Table{Out: &out, Columns: []Column{{Title: "ID", Right: true}, {Title: "NAME"}}}
	table.Row(Cell{Text: "100"}, Cell{Text: "a long name"})
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	table.Row(Cell{Text: "99"}, Cell{Text: "b"})
	if err := table.Flush(); err != nil || out.String() != " ID  NAME\n100  a long name\n 99  b\n" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestColoursAreOnlyWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{false, true} {
		var out bytes.Buffer
		table := aTable(&out, 100)
		table.Colours = wanted
		if err := table.Flush(); err != nil || strings.Contains(out.String(), "\x1b[1;31mfailed\x1b[0m") != wanted || !wanted && strings.Contains(out.String(), "\x1b") {
			t.Errorf("%v\n%q", err, out.String())
		}
	}
	if Colours(&bytes.Buffer{}) || Columns(&bytes.Buffer{}) != 0 {
		t.Error("a buffer is taken for a terminal")
	}
}
