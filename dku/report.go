package dku

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"time"
)

// SchemaVersion is that of Report's JSON. It changes when a reader of the version before would misread it.
const SchemaVersion = 1

// Schema is the JSON Schema of a report.
//
//go:embed report.schema.json
var Schema []byte

// Report is what was found. Its names in JSON are a contract: see report.schema.json and docs/dku.md.
type Report struct {
	SchemaVersion   int       `json:"schema_version"`
	GeneratedAt     time.Time `json:"generated_at"` // when it began
	DurationSeconds float64   `json:"duration_seconds"`
	Host            string    `json:"host"`
	Ketter          Build     `json:"ketter"`
	API             string    `json:"api"`
	Smoke           bool      `json:"smoke"` // the smoke test was asked for
	Verdict         Verdict   `json:"verdict"`
	ExitStatus      int       `json:"exit_status"`
	Counts          Counts    `json:"counts"`
	Findings        []Finding `json:"findings"` // in the order of the checks
}

// Build is the DKU's own.
type Build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Counts are of findings.
type Counts struct {
	OK   int `json:"ok"`
	Warn int `json:"warn"`
	Fail int `json:"fail"`
}

// Report makes a report of findings, which come in any order.
func (p *Probe) Report(host string, began time.Time, took time.Duration, checks []Check, findings []Finding) Report {
	r := Report{
		SchemaVersion: SchemaVersion, GeneratedAt: began.UTC().Truncate(time.Second), DurationSeconds: took.Seconds(),
		Host: p.redactor.Clean(host), API: p.redactor.Clean(p.target.API), Smoke: !p.target.NoSmoke,
		Ketter:  Build{Version: p.target.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH},
		Verdict: worst(findings), Findings: inOrder(checks, findings),
	}
	r.ExitStatus = map[Verdict]int{OK: 0, Warn: 1, Fail: 2}[r.Verdict]
	r.Counts = Counts{OK: len(r.of(OK)), Warn: len(r.of(Warn)), Fail: len(r.of(Fail))}
	return r
}

// inOrder sorts findings as the checks are, and those of one by what they are about.
func inOrder(checks []Check, findings []Finding) []Finding {
	place := make(map[string]int, len(checks))
	for i, c := range checks {
		if _, known := place[c.ID]; !known {
			place[c.ID] = i
		}
	}
	sorted := append([]Finding{}, findings...)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(place[a.ID]-place[b.ID], strings.Compare(a.Subject, b.Subject))
	})
	return sorted
}

func (r Report) of(v Verdict) (findings []Finding) {
	for _, f := range r.Findings {
		if f.Verdict == v {
			findings = append(findings, f)
		}
	}
	return findings
}

// toDo are the findings that ask for something, the worst first, and how many only say that a failed one kept them from running.
func (r Report) toDo() (todo []Finding, blocked int) {
	for _, f := range append(r.of(Fail), r.of(Warn)...) {
		if f.BlockedBy == "" {
			todo = append(todo, f)
		} else {
			blocked++
		}
	}
	return todo, blocked
}

// JSON is the report for programs.
func (r Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}
