package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/sample"
)

// head is what the document says before any figure.
//
//go:embed head.md
var head string

type document struct {
	Quick   bool
	Machine []fact
	Tables  []table
}

type fact struct{ Name, Value string }

type table struct {
	Task task
	Rows []row
}

// write writes Markdown and JSON into the files that are named.
func (d document) write(markdown, list string) (err error) {
	if markdown != "" {
		err = os.WriteFile(markdown, []byte(d.markdown()), 0o644)
	}
	if list == "" {
		return err
	}
	text, jsonErr := json.MarshalIndent(d.plain(), "", "  ")
	if jsonErr != nil {
		return errors.Join(err, jsonErr)
	}
	return errors.Join(err, os.WriteFile(list, append(text, '\n'), 0o644))
}

func (d document) markdown() string {
	var b strings.Builder
	b.WriteString(head)
	if d.Quick {
		b.WriteString("\n**This is a quick run, of sets that are small and few: look at the form, not at the figures.**\n")
	}
	b.WriteString("\n## The machine\n\n| | |\n|---|---|\n")
	for _, f := range d.Machine {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.Value)
	}
	b.WriteString("\n## The ways\n\n| Way | Command |\n|---|---|\n")
	for _, w := range ways {
		if w.Job == nil {
			fmt.Fprintf(&b, "| %s | `%s` |\n", cell(w.Title), cell(w.Script))
		}
	}
	for _, t := range d.Tables {
		b.WriteString(t.markdown())
	}
	return b.String()
}

func (t table) markdown() string {
	var b strings.Builder
	base := t.Rows[0]
	fmt.Fprintf(&b, "\n### %v round trip: %v\n\nRounds: %d. Seconds.\n\n", t.Task.RoundTrip, t.Task.Set, t.Task.Rounds)
	fmt.Fprintf(&b, "| Way | Median | Fastest | MB/s | On the wire | Times as fast as %s |\n|---|---|---|---|---|---|\n", cell(base.Way.Title))
	for _, r := range t.Rows {
		if r.Note != "" {
			fmt.Fprintf(&b, "| %s | %s | – | – | – | – |\n", cell(r.Way.Title), r.Note)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.1f | %s | %s |\n", cell(r.Way.Title), seconds(r.median()), seconds(r.fastest()),
			float64(t.Task.Set.Bytes())/1e6/r.median().Seconds(), sample.BytesText(r.Sent), timesAsFast(base, r))
	}
	return b.String()
}

func timesAsFast(base, r row) string {
	if base.median() == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", base.median().Seconds()/r.median().Seconds())
}

// failures is an error if a way failed.
func (d document) failures() error {
	var errs []error
	for _, t := range d.Tables {
		for _, r := range t.Rows {
			if r.Failed {
				errs = append(errs, fmt.Errorf("%v: %s %s", t.Task, r.Way.Name, r.Note))
			}
		}
	}
	return errors.Join(errs...)
}

// plain is the document for programs.
func (d document) plain() any {
	type one struct {
		Way         string    `json:"way"`
		Seconds     []float64 `json:"seconds"`
		BytesOnWire int64     `json:"bytes_on_wire"`
		Note        string    `json:"note,omitempty"`
	}
	type many struct {
		RoundTripSeconds float64 `json:"round_trip_seconds"`
		Set              string  `json:"set"`
		Files            int     `json:"files"`
		Bytes            int64   `json:"bytes"`
		Ways             []one   `json:"ways"`
	}
	tables := []many{}
	for _, t := range d.Tables {
		m := many{t.Task.RoundTrip.Seconds(), t.Task.Set.String(), t.Task.Set.Files(), t.Task.Set.Bytes(), nil}
		for _, r := range t.Rows {
			o := one{Way: r.Way.Name, Seconds: []float64{}, BytesOnWire: r.Sent, Note: r.Note}
			for _, took := range r.Times {
				o.Seconds = append(o.Seconds, took.Seconds())
			}
			m.Ways = append(m.Ways, o)
		}
		tables = append(tables, m)
	}
	machine := map[string]string{}
	for _, f := range d.Machine {
		machine[f.Name] = f.Value
	}
	return map[string]any{"quick": d.Quick, "machine": machine, "tables": tables}
}

func describeMachine(ctx context.Context, ketter string) []fact {
	facts := []fact{{"Date", time.Now().UTC().Format(time.DateOnly)}, {"Cores", fmt.Sprint(runtime.NumCPU())},
		{"sshd", firstLine(ctx, "ssh", "-V")}}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		facts = append(facts, fact{"Load at the start", strings.Join(strings.Fields(string(load))[:3], ", ")})
	}
	if ketter != "" {
		facts = append(facts, fact{"ketter", firstLine(ctx, ketter, "--version")})
	}
	for _, tool := range []string{"rsync", "tar", "rclone"} {
		facts = append(facts, fact{tool, firstLine(ctx, tool, "--version")})
	}
	return facts
}

func firstLine(ctx context.Context, program string, arguments ...string) string {
	said, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
	if err != nil {
		return "not installed"
	}
	line, _, _ := strings.Cut(string(said), "\n")
	return line
}

// cell is text for a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// seconds has as many digits as may mean something.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 10:
		return fmt.Sprintf("%.3f", s)
	default:
		return fmt.Sprintf("%.1f", s)
	}
}
