package dku

import (
	"fmt"
	"io"
	"strings"
)

// Table tells findings on a terminal as they come.
type Table struct {
	Out    io.Writer
	Colour bool
	Width  int // columns; longer lines are cut. 0: they aren't
}

// colours of the verdicts, as ECMA-48 has them: green, yellow, red.
var colours = map[Verdict]string{OK: "\x1b[32m", Warn: "\x1b[33m", Fail: "\x1b[1;31m"}

// Add writes a line for each finding.
func (t Table) Add(findings []Finding) {
	for _, f := range findings {
		message := f.Message
		if f.Subject != "" {
			message = f.Subject + ": " + message
		}
		line := fmt.Sprintf("%-26s  %16s  %s", f.ID, f.figure(), message)
		fmt.Fprintf(t.Out, "%s  %s\n", t.verdict(f.Verdict), t.fit(line))
	}
}

// End tells the verdict, and once more what has failed.
func (t Table) End(r Report) {
	fmt.Fprintf(t.Out, "\n%s  %s, in %.1f s\n", t.verdict(r.Verdict), r.Counts, r.DurationSeconds)
	todo, blocked := r.toDo()
	for _, f := range todo {
		fmt.Fprintf(t.Out, "\n%s  %s\n      %s\n      -> %s\n", t.verdict(f.Verdict), f.name(), f.Message, f.Advice)
	}
	if blocked > 0 {
		fmt.Fprintf(t.Out, "\nFor want of these %d more checks were not run. Mend these, then run the DKU again.\n", blocked)
	}
}

func (t Table) verdict(v Verdict) string {
	text := fmt.Sprintf("%-4s", strings.ToUpper(string(v)))
	if t.Colour {
		return colours[v] + text + "\x1b[0m"
	}
	return text
}

// fit cuts what the terminal would wrap.
func (t Table) fit(line string) string {
	const verdict = 6
	if room := t.Width - verdict; t.Width > 0 && width(line) > room && room > 1 {
		head, _ := cut(line, room-1)
		return head + "~"
	}
	return line
}
