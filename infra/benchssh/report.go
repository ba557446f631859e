package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/machine"
	"github.com/ketter/ketter/infra/sample"
)

// head is what the document says before any figure.
//
//go:embed head.md
var head string

type document struct {
	Quick   bool
	Machine []machine.Fact
	Tables  []table
}

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

func describeMachine(ctx context.Context, ketter string) []machine.Fact {
	facts := []machine.Fact{
		{Name: "Date", Value: time.Now().UTC().Format(time.DateOnly)}, {Name: "Cores", Value: fmt.Sprint(runtime.NumCPU())},
		{Name: "sshd", Value: machine.FirstLine(ctx, "ssh", "-V")}, {Name: "Load at the start", Value: machine.Load()},
	}
	if ketter != "" {
		facts = append(facts, machine.Fact{Name: "ketter", Value: machine.FirstLine(ctx, ketter, "--version")})
	}
	for _, tool := range []string{"rsync", "tar", "rclone"} {
		facts = append(facts, machine.Fact{Name: tool, Value: machine.FirstLine(ctx, tool, "--version")})
	}
	return facts
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
