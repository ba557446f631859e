// Package dku asks a running Ketter how it is and says so in words an operator under stress can read. It only asks the
// API's own readiness checks so far; every answer has a deadline, and a part that is dead is a verdict, never a hang.
package dku

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
)

// Verdict is how a part is.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Finding is one part, how it is, and what to know or do about it.
type Finding struct {
	Part    string
	Verdict Verdict
	Detail  string
}

// Report is what was found.
type Report struct{ Findings []Finding }

// deadline bounds the whole question: /readyz itself gives each of its checks 2 s.
const deadline = 10 * time.Second

// Ask asks the API at base, as http://127.0.0.1:8000.
func Ask(ctx context.Context, base string) Report {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer, err := readiness(ctx, base)
	if err != nil {
		return Report{Findings: []Finding{{
			Part: "api", Verdict: Fail,
			Detail: fmt.Sprintf("%s. Start it: `ketter up`, or `ketter serve` and `ketter worker`", failure.From(err).Sentence()),
		}}}
	}
	report := Report{Findings: []Finding{{Part: "api", Verdict: OK, Detail: base}}}
	for _, check := range answer.Checks {
		report.Findings = append(report.Findings, check.finding())
	}
	return report
}

// readyz is the part of GET /readyz that counts here.
type readyz struct {
	Checks []readyCheck `json:"checks"`
}

type readyCheck struct {
	Name     string  `json:"name"`
	Required bool    `json:"required"`
	OK       bool    `json:"ok"`
	Seconds  float64 `json:"seconds"`
	Detail   string  `json:"detail"`
}

func (c readyCheck) finding() Finding {
	switch {
	case c.OK:
		return Finding{c.Name, OK, fmt.Sprintf("answered in %.1f ms", c.Seconds*1000)}
	case c.Required:
		return Finding{c.Name, Fail, c.Detail}
	default:
		return Finding{c.Name, Warn, c.Detail}
	}
}

func readiness(ctx context.Context, base string) (answer readyz, err error) {
	asked, err := client.New(base)
	if err != nil {
		return answer, err
	}
	if err := asked.Get(ctx, "/readyz", &answer); err != nil {
		return answer, err
	}
	if len(answer.Checks) == 0 {
		return answer, failure.New(client.Unreachable, "", base+" does not answer as Ketter does (no checks)")
	}
	return answer, nil
}

// Print writes a line for each finding.
func (r Report) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Verdict, f.Part, f.Detail)
	}
	return table.Flush()
}

// ExitStatus is 0 when all is ok, 1 with warnings, 2 with failures.
func (r Report) ExitStatus() int {
	status := 0
	for _, f := range r.Findings {
		switch f.Verdict {
		case OK:
		case Warn:
			status = max(status, 1)
		case Fail:
			status = 2
		}
	}
	return status
}
