package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const gap = 2

// Column is one of a table's.
type Column struct {
	Title string
	Right bool // figures
	Least int  // where there isn't room for all, its texts lose their middle, down to so many cells; 0: they never do
	Spare int  // where there isn't room even so, it may be left out, the higher the rather; 0: it stays
}

// Cell is a text, and its colour where there are any.
type Cell struct {
	Text   string
	Colour Colour
}

// Table writes rows that no terminal wraps. It may be flushed several times, as pages come; columns never get narrower.
type Table struct {
	Out     io.Writer
	Width   int // of the terminal, in cells; 0: as wide as it gets
	Colours bool
	Columns []Column

	rows   [][]Cell
	widths []int // of the columns' longest texts so far
	titled bool
}

// NewTable fits out, which may be a terminal.
func NewTable(out io.Writer, columns ...Column) *Table {
	return &Table{Out: out, Width: Columns(out), Colours: Colours(out), Columns: columns}
}

// Row adds one, with a cell for each column.
func (t *Table) Row(cells ...Cell) { t.rows = append(t.rows, cells) }

// Flush writes the rows that were added since.
func (t *Table) Flush() error {
	t.measure()
	widths := t.fit()
	var b strings.Builder
	if !t.titled {
		t.titled = true
		titles := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			titles[i].Text = c.Title
		}
		t.line(&b, widths, titles)
	}
	for _, row := range t.rows {
		t.line(&b, widths, row)
	}
	t.rows = nil
	_, err := io.WriteString(t.Out, b.String())
	return err
}

// measure finds how wide the columns would like to be; those without any text are left out: -1.
func (t *Table) measure() {
	if t.widths == nil {
		t.widths = slices.Repeat([]int{-1}, len(t.Columns))
	}
	for _, row := range t.rows {
		for i, cell := range row {
			if cell.Text != "" {
				t.widths[i] = max(t.widths[i], Width(cell.Text), Width(t.Columns[i].Title))
			}
		}
	}
}

// fit gives each column its width. Those that stay have theirs; the spare ones come in, the least spare first, as long as there is
// room with all that shrink at their least; then these get what is left.
func (t *Table) fit() []int {
	if t.Width == 0 {
		return t.widths
	}
	widths := slices.Repeat([]int{-1}, len(t.Columns))
	for _, i := range t.bySpare() {
		widths[i] = t.widths[i]
		if t.Columns[i].Spare > 0 && over(widths, t.Width) > t.slack(widths) {
			widths[i] = -1
		}
	}
	t.shrink(widths)
	return widths
}

// bySpare are the columns' numbers, those that stay first.
func (t *Table) bySpare() []int {
	order := make([]int, len(t.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return t.Columns[a].Spare - t.Columns[b].Spare })
	return order
}

// over is by how many cells a line is too long.
func over(widths []int, room int) int {
	total := -gap
	for _, w := range widths {
		if w >= 0 {
			total += w + gap
		}
	}
	return total - room
}

// slack is how many cells the columns that shrink have above their least.
func (t *Table) slack(widths []int) (cells int) {
	for i, c := range t.Columns {
		if c.Least > 0 {
			cells += max(0, widths[i]-c.Least)
		}
	}
	return cells
}

// shrink takes a cell from the widest of those that shrink until the line fits, or nothing is left to take. None is taken below its
// least as long as another is above.
func (t *Table) shrink(widths []int) {
	for excess := over(widths, t.Width); excess > 0; excess-- {
		widest := t.widest(widths, func(i int) bool { return widths[i] > t.Columns[i].Least })
		if widest < 0 {
			widest = t.widest(widths, func(i int) bool { return widths[i] > 1 })
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// widest is that of the columns that shrink and may give; -1: none.
func (t *Table) widest(widths []int, may func(int) bool) int {
	found := -1
	for i, c := range t.Columns {
		if c.Least > 0 && may(i) && (found < 0 || widths[i] > widths[found]) {
			found = i
		}
	}
	return found
}

func (t *Table) line(b *strings.Builder, widths []int, cells []Cell) {
	var line strings.Builder
	room := t.Width
	for i, cell := range cells {
		if widths[i] < 0 {
			continue
		}
		if line.Len() > 0 {
			line.WriteString(strings.Repeat(" ", gap))
			room -= gap
		}
		width := widths[i]
		if t.Width > 0 { // it may be too narrow for anything
			width = min(width, max(room, 0))
			room -= width
		}
		line.WriteString(t.cell(t.Columns[i], cell, width))
	}
	fmt.Fprintln(b, strings.TrimRight(line.String(), " "))
}

func (t *Table) cell(c Column, cell Cell, width int) string {
	text := Middle(cell.Text, width)
	padding := strings.Repeat(" ", width-Width(text))
	if t.Colours {
		text = cell.Colour.Paint(text)
	}
	if c.Right {
		return padding + text
	}
	return text + padding
}
