package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/terminal"
)

// liveBar is the last line of a terminal, which is written anew as a run goes on. On anything else it is nothing.
type liveBar struct{ out io.Writer }

// afterBar is where a terminal shows that Ctrl-C was typed. In the line below, it would stay.
const afterBar = 3

func (b liveBar) draw(p transfer.Progress) {
	if columns := terminal.Columns(b.out); columns > 0 { // it is asked each time: windows are resized
		fmt.Fprint(b.out, "\r\x1b[K"+bar(p, columns-afterBar))
	}
}

// note writes a sentence where the bar would be.
func (b liveBar) note(text string) {
	if columns := terminal.Columns(b.out); columns > 0 {
		fmt.Fprint(b.out, "\r\x1b[K"+terminal.Head(printable(text), columns-afterBar))
	}
}

func (b liveBar) clear() {
	if terminal.Columns(b.out) > 0 {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// bar is one line: phase, share, files, bytes, rate and what is left.
func bar(p transfer.Progress, columns int) string {
	label, figures := fmt.Sprintf("%-10s ", printable(string(p.Phase))), figuresOf(p)
	if !hasTotals(p) {
		return terminal.Head(label+figures, columns)
	}
	share := shareOf(p)
	label, figures = label+percent(share)+" ", " "+figures
	line := label + figures
	if room := columns - terminal.Width(line) - 2; room >= 10 {
		room = min(room, 30)
		full := int(share * float64(room))
		line = label + "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]" + figures
	}
	return terminal.Head(line, columns)
}

// hasTotals reports whether anybody can say which part of it is done.
func hasTotals(p transfer.Progress) bool { return p.BytesTotal > 0 || p.FilesTotal > 0 }

func percent(share float64) string { return fmt.Sprintf("%3.0f%%", share*100) }

func shareOf(p transfer.Progress) float64 {
	switch { // an API may tell nonsense
	case p.BytesTotal > 0:
		return max(0, min(1, float64(p.BytesDone)/float64(p.BytesTotal)))
	case p.FilesTotal > 0:
		return max(0, min(1, float64(p.FilesDone)/float64(p.FilesTotal)))
	}
	return 0
}

// figuresOf is what there is to say of a phase and, at its end, of the run: how long it still takes.
func figuresOf(p transfer.Progress) string {
	text := countText(p.FilesDone, "file")
	if p.FilesTotal > 0 {
		text = fmt.Sprintf("%d/%s", p.FilesDone, countText(p.FilesTotal, "file"))
	}
	text += "  " + bytesText(p.BytesDone)
	if p.BytesPerSecond > 0 {
		text += fmt.Sprintf("  %s/s", bytesText(int64(p.BytesPerSecond)))
	}
	if p.Left > 0 {
		text += "  " + p.Left.Round(time.Second).String() + " left"
	}
	return text
}

func countText(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// bytesText is a count of bytes in decimal units, as storage vendors count.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	for value >= 999.95 && unit < 4 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, []string{"B", "kB", "MB", "GB", "TB"}[unit])
}
