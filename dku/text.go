package dku

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Columns is what a report for people fits.
const Columns = 100

// Text is the report for people: first the verdict, then what to do, the worst first, then everything.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "KETTER DKU: %s    %s\n", strings.ToUpper(string(r.Verdict)), r.Counts)
	writeWrapped(&b, "", fmt.Sprintf("%s on %s, took %.1f s. Ketter %s, asked %s.",
		r.GeneratedAt.Format(time.RFC3339), r.Host, r.DurationSeconds, r.Ketter.Version, r.API))
	if !r.Smoke {
		b.WriteString("The smoke test was not asked for (--no-smoke).\n")
	}
	r.writeToDo(&b)
	b.WriteString("\nALL FINDINGS\n")
	group := ""
	for _, f := range r.Findings {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		f.write(&b)
	}
	return b.String()
}

func (c Counts) String() string { return fmt.Sprintf("%d fail, %d warn, %d ok", c.Fail, c.Warn, c.OK) }

func (r Report) writeToDo(b *strings.Builder) {
	todo, blocked := r.toDo()
	if len(todo) == 0 {
		b.WriteString("\nNothing to do.\n")
		return
	}
	b.WriteString("\nWHAT TO DO\n")
	for i, f := range todo {
		fmt.Fprintf(b, "\n")
		writeWrapped(b, "     ", fmt.Sprintf("%3d. %s  %s", i+1, strings.ToUpper(string(f.Verdict)), f.name()))
		writeWrapped(b, "     ", "     "+f.Message)
		writeWrapped(b, "        ", "     -> "+f.Advice)
	}
	if blocked > 0 {
		fmt.Fprintf(b, "\nFor want of these %d more checks were not run. Mend these, then run the DKU again.\n", blocked)
	}
}

// write tells a finding, in the columns verdict, id with figure, message.
func (f Finding) write(b *strings.Builder) {
	writeWrapped(b, strings.Repeat(" ", 8), fmt.Sprintf("  %-4s  %s%s", f.Verdict, f.name(), f.bracketed()))
	writeWrapped(b, strings.Repeat(" ", 8), strings.Repeat(" ", 8)+f.Message)
}

func (f Finding) name() string { return key(f.ID, f.Subject) }

// bracketed is the figure for people.
func (f Finding) bracketed() string {
	if text := f.figure(); text != "" {
		return "  [" + text + "]"
	}
	return ""
}

func (f Finding) figure() string {
	switch {
	case f.Figure == nil:
		return ""
	case f.Unit == "bytes":
		return size(*f.Figure)
	case *f.Figure == float64(int64(*f.Figure)):
		return strconv.FormatInt(int64(*f.Figure), 10) + " " + f.Unit
	}
	return strconv.FormatFloat(*f.Figure, 'f', 2, 64) + " " + f.Unit
}

// writeWrapped writes text in lines of at most Columns; indent is that of all but the first. A word that is longer than a line is cut.
func writeWrapped(b *strings.Builder, indent, text string) {
	begin := len(text) - len(strings.TrimLeft(text, " "))
	line := text[:begin]
	empty := true
	for _, word := range strings.SplitAfter(text[begin:], " ") {
		for width(line)+width(strings.TrimRight(word, " ")) > Columns {
			if empty { // nothing but the word itself
				head, rest := cut(word, Columns-width(line))
				b.WriteString(line + head + "\n")
				word = rest
			} else {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
			}
			line, empty = indent, true
		}
		line += word
		empty = false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

func width(text string) int { return utf8.RuneCountInString(text) }

func cut(text string, at int) (head, rest string) {
	runes := []rune(text)
	return string(runes[:at]), string(runes[at:])
}
