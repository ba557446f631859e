package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// teller tells a person or a script how a transfer goes: a bar on a terminal and a summary, or JSON lines, each with a
// message_type (event, progress, summary, error).
type teller struct {
	out  io.Writer
	json bool
	bar  liveBar
}

var _ transfer.Observer = (*teller)(nil)

func newTeller(out, err io.Writer, asJSON bool) *teller {
	return &teller{out: out, bar: liveBar{err}, json: asJSON}
}

// Event tells of a step: in JSON always, as text never (the summary says what counts).
func (t *teller) Event(_ context.Context, event transfer.Event) error {
	if !t.json {
		return nil
	}
	return jsonLine(t.out, "event", fields{"kind": event.Kind, "message": event.Message, "figures": event.Figures})
}

// BeforePublish has nothing to record: a transfer without a database has no one to tell.
func (t *teller) BeforePublish(context.Context, transfer.Intent) error { return nil }

// NotPublished has nothing to take back.
func (t *teller) NotPublished(context.Context) error { return nil }

// BeforeInherit lets the lock on a staging decide.
func (t *teller) BeforeInherit(context.Context) error { return nil }

// Progress draws the bar anew.
func (t *teller) Progress(p transfer.Progress) {
	if !t.json {
		t.bar.draw(p)
		return
	}
	_ = jsonLine(t.out, "progress", progressFields(p)) // a reader that went away is noticed by the summary
}

// finished prints the summary.
func (t *teller) finished(spec transfer.Spec, plan planner.Plan, result transfer.Result) error {
	seconds := result.Elapsed.Seconds()
	rate := 0.0
	if seconds > 0 {
		rate = float64(result.Bytes) / 1e6 / seconds
	}
	if t.json {
		return jsonLine(t.out, "summary", fields{
			"source": spec.Source, "destination": spec.FinalPath(), "mode": spec.Mode, "strategy": plan.Strategy,
			"method": result.Method, "verify": spec.Verify, "files": result.Files, "bytes": result.Bytes,
			"seconds": seconds, "mb_per_second": rate,
		})
	}
	t.bar.clear()
	done := map[transfer.Mode]string{transfer.Copy: "Copied", transfer.Move: "Moved"}[spec.Mode]
	_, err := fmt.Fprintf(t.out, "%s %s, %s in %.2f s (%.1f MB/s) to %s\n%s, %s\n",
		done, countText(result.Files, "file"), bytesText(result.Bytes), seconds, rate, printable(spec.FinalPath()), plan.Strategy, proofText(&result.Method, spec.Verify))
	return err
}

// failed leaves it to main to tell of a failure.
func (t *teller) failed(f *failure.Error) error {
	if !t.json {
		t.bar.clear()
	}
	return f
}
