package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/machine"
)

// head is what the document says before any figure.
//
//go:embed head.md
var head string

type document struct {
	quick    bool
	machine  []machine.Fact
	ways     []way
	sections []section
}

// section is a place.
type section struct {
	place, about string
	tables       []table
}

type table struct {
	task task
	rows []row
}

func (d document) markdown() string {
	var b strings.Builder
	b.WriteString(head)
	if d.quick {
		b.WriteString("\n**This is a quick run, of sets that are small and few: look at the form, not at the figures.**\n")
	}
	b.WriteString("\n## The machine\n\n| | |\n|---|---|\n")
	for _, f := range d.machine {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.Value)
	}
	b.WriteString("\n## The ways\n\n`$1` is the source, `$2` the folder that receives it. Ketter's ways are named by strategy and verification.\n\n")
	b.WriteString("| Way | Beyond copying | Command |\n|---|---|---|\n")
	for _, w := range d.ways {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", w.title, orDash(w.does), w.commands())
	}
	d.summary(&b, false)
	d.summary(&b, true)
	for _, s := range d.sections {
		b.WriteString(s.markdown())
	}
	return b.String()
}

func (w way) commands() string {
	text := "`" + strings.ReplaceAll(w.script, "|", "\\|") + "`"
	if w.then != "" {
		text += ", drop caches (not timed), `" + w.then + "`"
	}
	return text
}

// summary is a line for each set in each place: how many times as long as the base each way takes.
func (d document) summary(b *strings.Builder, move bool) {
	var columns []way
	for _, w := range d.ways {
		if w.move == move && w.name != base(move) {
			columns = append(columns, w)
		}
	}
	var lines strings.Builder
	for _, s := range d.sections {
		for _, t := range s.tables {
			if t.move() == move {
				t.summaryLine(&lines, s.place, columns)
			}
		}
	}
	if len(columns) == 0 || lines.Len() == 0 {
		return
	}
	title, than := "Copies", "cp -a"
	if move {
		title, than = "Moves", "mv"
	}
	fmt.Fprintf(b, "\n## %s in short\n\nMedian time as a multiple of that of %s; below 1 is faster.\n\n| Where | What | %s s |", title, than, than)
	for _, w := range columns {
		fmt.Fprintf(b, " %s |", w.title)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(columns)) + "\n" + lines.String())
}

func (t table) summaryLine(b *strings.Builder, place string, columns []way) {
	standard := t.median(base(t.move()))
	fmt.Fprintf(b, "| %s | %s | %s |", place, t.task.set, orDash(secondsUnlessZero(standard)))
	for _, w := range columns {
		fmt.Fprintf(b, " %s |", orDash(ratio(t.median(w.name), standard)))
	}
	b.WriteString("\n")
}

func (s section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.place, s.about)
	for _, t := range s.tables {
		t.markdown(&b)
	}
	return b.String()
}

func (t table) markdown(b *strings.Builder) {
	verb, than := "", "cp -a"
	if t.move() {
		verb, than = ", moved", "mv"
	}
	fmt.Fprintf(b, "\n### %s%s\n\n%s, seconds.\n\n", t.task.set, verb, count(t.task.rounds, "round"))
	fmt.Fprintf(b, "| Way | Median | Fastest | × %s | Beyond copying | × the same work |\n|---|---|---|---|---|---|\n", than)
	for _, r := range t.rows {
		if r.note != "" {
			fmt.Fprintf(b, "| %s | %s | – | – | %s | – |\n", r.way.title, r.note, orDash(r.way.does))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", r.way.title, seconds(r.median()), seconds(r.fastest()),
			orDash(ratio(r.median(), t.median(base(t.move())))), orDash(r.way.does), t.sameWork(r))
	}
}

// sameWork compares a row with the way that does the same without Ketter.
func (t table) sameWork(r row) string {
	i := slices.IndexFunc(t.rows, func(other row) bool { return other.way.name == r.way.same })
	if i < 0 {
		return "–"
	}
	times := ratio(r.median(), t.median(r.way.same))
	if times == "" {
		return "–"
	}
	return times + " of " + t.rows[i].way.title
}

func (t table) move() bool { return len(t.rows) > 0 && t.rows[0].way.move }

// median is zero for a way that has no times.
func (t table) median(name string) time.Duration {
	for _, r := range t.rows {
		if r.way.name == name && r.note == "" {
			return r.median()
		}
	}
	return 0
}

// failures is an error if a way failed.
func (d document) failures() error {
	var errs []error
	for _, s := range d.sections {
		for _, t := range s.tables {
			for _, r := range t.rows {
				if r.failed {
					errs = append(errs, fmt.Errorf("%s, %s: %s %s", s.place, t.task.set, r.way.name, r.note))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func ratio(d, standard time.Duration) string {
	if d == 0 || standard == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(d)/float64(standard))
}

func secondsUnlessZero(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return seconds(d)
}

// seconds has as many digits as may mean something.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 0.1:
		return fmt.Sprintf("%.4f", s)
	case s < 10:
		return fmt.Sprintf("%.3f", s)
	default:
		return fmt.Sprintf("%.1f", s)
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
