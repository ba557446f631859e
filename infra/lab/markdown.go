package lab

import (
	"fmt"
	"strings"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/redact"
)

// Markdown is the document.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Labs of %s on %s\n\n", r.Started.Format("2006-01-02 15:04 UTC"), cell(r.Host))
	b.WriteString(r.summary())
	b.WriteString("[README.md](README.md) says what the labs are and how to read this.\n")
	if r.Note != "" {
		fmt.Fprintf(&b, "\n**%s**\n", redact.Printable(r.Note))
	}
	if r.Quick {
		b.WriteString("\n**This is a quick run, of data sets that are small: look at the form, not at the figures.**\n")
	}
	b.WriteString("\n## Environment\n\n| | |\n|---|---|\n")
	for _, f := range r.Environment {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, cell(f.Value))
	}
	r.writeFigures(&b)
	r.writeSweep(&b)
	r.writeRecommendation(&b)
	r.writeVerified(&b)
	r.writeExpectations(&b)
	return b.String()
}

// summary is one sentence.
func (r Report) summary() string {
	count := map[Verdict]int{}
	for _, e := range r.Expectations {
		count[e.Verdict]++
	}
	return fmt.Sprintf("%d expectations passed, %d failed, %d were not run. ", count[Passed], count[Failed], count[NotRun])
}

// writeFigures leaves the sweep to its own table.
func (r Report) writeFigures(b *strings.Builder) {
	title := ""
	for _, s := range r.Figures {
		if s.Lab == "sweep" {
			continue
		}
		if title == "" {
			b.WriteString("\n## Figures\n\nSeconds are those of `duration_seconds`: from a job's start to its end, verification by checksum included.\n")
		}
		if s.DataSet != title {
			title = s.DataSet
			fmt.Fprintf(b, "\n### %s\n\n| Job | Done by | Median s | Fastest | Slowest | MB/s | Files/s |\n|---|---|---|---|---|---|---|\n", title)
		}
		b.WriteString(s.row())
	}
}

func (s Series) row() string {
	if len(s.Seconds) == 0 {
		return fmt.Sprintf("| %s, %s | failed | – | – | – | – | – |\n", s.Mode, s.Asked)
	}
	least, most := s.Seconds[0], s.Seconds[0]
	for _, took := range s.Seconds {
		least, most = min(least, took), max(most, took)
	}
	m := median(s.Seconds)
	return fmt.Sprintf("| %s, %s | %s | %s | %s | %s | %.1f | %.*f |\n", s.Mode, s.Asked, cell(string(s.Method)), seconds(m), seconds(least), seconds(most),
		float64(s.Bytes)/1e6/m, decimals(float64(s.Files)/m), float64(s.Files)/m)
}

func (r Report) writeSweep(b *strings.Builder) {
	if len(r.Cells) == 0 {
		return
	}
	b.WriteString("\n## DIRECT and ZIP_FIRST\n\nCopies; medians in seconds, ± the spread (the median distance from the median).\n\n")
	b.WriteString("| Data set | DIRECT | ZIP_FIRST | ZIP_FIRST / DIRECT | Faster | Recommended |\n|---|---|---|---|---|---|\n")
	for _, c := range r.Cells {
		faster, recommended := string(c.Better()), "–"
		if c.Better() == transfer.Auto {
			faster = "no difference"
		}
		if r.Recommendation != nil {
			recommended = string(r.Recommendation.Strategy(c.Files, c.Bytes))
		}
		fmt.Fprintf(b, "| %s | %s ± %s | %s ± %s | %.2f | %s | %s |\n", c.Title, seconds(median(c.Direct)), seconds(spread(c.Direct)),
			seconds(median(c.Zip)), seconds(spread(c.Zip)), median(c.Zip)/median(c.Direct), faster, recommended)
	}
}

func (r Report) writeRecommendation(b *strings.Builder) {
	if r.Recommendation != nil {
		fmt.Fprintf(b, "\n## Recommendation\n\n```sh\n%s```\n\n%s\n", r.Recommendation.Environment(), r.Recommendation.Why)
	}
}

// Environment is the thresholds as lines to paste.
func (r Recommendation) Environment() string {
	return fmt.Sprintf("KETTER_ZIP_THRESHOLD_FILES=%d\nKETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES=%d\n", r.Files, r.AvgSize)
}

func (r Report) writeVerified(b *strings.Builder) {
	if len(r.Verified) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## AUTO under these thresholds\n\nMeasured anew, each round by all three. AUTO should take at most %.1f times as long as the better strategy.\n\n", enoughTimes)
	b.WriteString("| Data set | AUTO is | AUTO | DIRECT | ZIP_FIRST | AUTO / better | |\n|---|---|---|---|---|---|---|\n")
	for _, v := range r.Verified {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %.2f | %s |\n", v.Title, v.Strategy, seconds(median(v.Auto)), seconds(median(v.Direct)),
			seconds(median(v.Zip)), v.Times(), v.Remark())
	}
}

// Remark says in words what Times says.
func (v Verification) Remark() string {
	better := v.Direct
	if median(v.Zip) < median(v.Direct) {
		better = v.Zip
	}
	switch {
	case v.Enough():
		return "as it should be"
	case faster(v.Auto, better) == 0:
		return "above, and noise explains it"
	default:
		return "above: measure again, with more --rounds and nothing else running"
	}
}

func (r Report) writeExpectations(b *strings.Builder) {
	b.WriteString("\n## What had to hold\n\nA data set's line is about every run of it: it succeeds by that strategy, counts all files and bytes, arrives as " +
		"`destination/<base name>` with nothing beside it, the tree is the source's, a copy leaves the source untouched, a move removes it.\n\n")
	b.WriteString("| Lab | Expectation | | |\n|---|---|---|---|\n")
	for _, e := range r.Expectations {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", e.Lab, cell(e.What), e.Verdict, cell(e.Detail))
	}
}

// cell is text for a table, and for a terminal that shows it.
func cell(text string) string {
	return redact.Printable(strings.NewReplacer("|", "\\|", "\n", " ").Replace(text))
}

// decimals is 0 for what is large enough without.
func decimals(n float64) int {
	if n < 10 {
		return 1
	}
	return 0
}

// seconds has as many digits as may mean something.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.3f", s)
	}
	return fmt.Sprintf("%.1f", s)
}
