package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// teller tells a person or a script how a transfer goes: a bar on a terminal and a summary, or JSON lines, each with a
// message_type (event, progress, summary, error).
type teller struct {
	out, err io.Writer
	json     bool
	columns  int // of the terminal the bar is drawn on; 0: no bar
}

var _ transfer.Observer = (*teller)(nil)

func newTeller(out, err io.Writer, asJSON bool) *teller {
	t := &teller{out: out, err: err, json: asJSON}
	if columns, yes := isTerminal(err); yes && !asJSON {
		t.columns = columns
	}
	return t
}

// Event tells of a step: in JSON always, as text never (the summary says what counts).
func (t *teller) Event(_ context.Context, event transfer.Event) error {
	if !t.json {
		return nil
	}
	return t.line("event", map[string]any{"kind": event.Kind, "message": event.Message, "figures": event.Figures})
}

// BeforePublish has nothing to record: a transfer without a database has no one to tell.
func (t *teller) BeforePublish(context.Context, transfer.Intent) error { return nil }

// NotPublished has nothing to take back.
func (t *teller) NotPublished(context.Context) error { return nil }

// BeforeInherit lets the lock on a staging decide.
func (t *teller) BeforeInherit(context.Context) error { return nil }

// Progress draws the bar anew.
func (t *teller) Progress(p transfer.Progress) {
	switch {
	case t.json:
		_ = t.line("progress", map[string]any{
			"phase": p.Phase, "files_done": p.FilesDone, "files_total": p.FilesTotal,
			"bytes_done": p.BytesDone, "bytes_total": p.BytesTotal,
			"bytes_per_second": p.BytesPerSecond, "seconds_left": p.Left.Seconds(),
		}) // a reader that went away is noticed by the summary
	case t.columns > 0:
		fmt.Fprint(t.err, "\r\x1b[K"+bar(p, t.columns-1))
	}
}

// bar is one line: phase, share, files, bytes, rate and what is left.
func bar(p transfer.Progress, columns int) string {
	figures := fmt.Sprintf(" %d files  %s", p.FilesDone, bytesText(p.BytesDone))
	share := 0.0
	switch {
	case p.BytesTotal > 0:
		share = min(1, float64(p.BytesDone)/float64(p.BytesTotal))
	case p.FilesTotal > 0:
		share = min(1, float64(p.FilesDone)/float64(p.FilesTotal))
	}
	if p.BytesPerSecond > 0 {
		figures += fmt.Sprintf("  %s/s", bytesText(int64(p.BytesPerSecond)))
	}
	if p.Left > 0 {
		figures += "  " + p.Left.Round(time.Second).String() + " left"
	}
	label := fmt.Sprintf("%-10s %3.0f%% ", p.Phase, share*100)
	line := label + figures
	if room := columns - len(line) - 2; room >= 10 {
		room = min(room, 30)
		full := int(share * float64(room))
		line = label + "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]" + figures
	}
	return line[:min(len(line), columns)]
}

func (t *teller) clear() {
	if t.columns > 0 {
		fmt.Fprint(t.err, "\r\x1b[K")
	}
}

// finished prints the summary.
func (t *teller) finished(spec transfer.Spec, plan planner.Plan, result transfer.Result) error {
	seconds := result.Elapsed.Seconds()
	rate := 0.0
	if seconds > 0 {
		rate = float64(result.Bytes) / 1e6 / seconds
	}
	if t.json {
		return t.line("summary", map[string]any{
			"source": spec.Source, "destination": spec.FinalPath(), "mode": spec.Mode, "strategy": plan.Strategy,
			"method": result.Method, "verify": spec.Verify, "files": result.Files, "bytes": result.Bytes,
			"seconds": seconds, "mb_per_second": rate,
		})
	}
	t.clear()
	proof := "verified by " + string(spec.Verify)
	switch {
	case result.Method == transfer.Rename:
		proof = "renamed in place: nothing to verify"
	case spec.Verify == transfer.None:
		proof = "not verified"
	}
	done := map[transfer.Mode]string{transfer.Copy: "Copied", transfer.Move: "Moved"}[spec.Mode]
	_, err := fmt.Fprintf(t.out, "%s %d files, %s in %.2f s (%.1f MB/s) to %s\n%s, %s\n",
		done, result.Files, bytesText(result.Bytes), seconds, rate, printable(spec.FinalPath()), plan.Strategy, proof)
	return err
}

// failed tells of a failure; its result ends the process with the code's exit status.
func (t *teller) failed(f *failure.Error) error {
	t.clear()
	if !t.json {
		return f
	}
	err := t.line("error", map[string]any{"code": f.Code, "message": f.Sentence(), "path": f.Path, "hint": f.Advice()})
	if err != nil {
		return err
	}
	return &exitError{status: f.Code.ExitStatus()}
}

func (t *teller) line(kind string, fields map[string]any) error {
	fields["message_type"] = kind
	return json.NewEncoder(t.out).Encode(fields)
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
