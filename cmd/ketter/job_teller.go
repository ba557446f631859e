package main

import (
	"fmt"
	"io"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/terminal"
)

// plainEvery is how often a log is told how far a phase is.
const plainEvery = 10 * time.Second

// jobTeller tells a person, a log or a program how a job goes: a bar on a terminal, lines elsewhere, or JSON lines, each with a
// message_type (event, progress, summary, error).
type jobTeller struct {
	out, err io.Writer
	bar      liveBar
	json     bool
	id       int64
	queue    string
	api      string // the flag that names it, where it was given
	seq      int64  // of the last event

	plainPhase transfer.Phase
	plainAt    time.Time
}

// tell is what client.Follow calls.
func (t *jobTeller) tell(u client.Update) error {
	switch {
	case u.Event != nil:
		t.seq = u.Event.Seq
		return t.event(*u.Event)
	case u.Progress != nil:
		return t.progress(*u.Progress)
	case u.Lost != nil:
		t.bar.clear()
		fmt.Fprintf(t.err, "%s; asking again. The job goes on.\n", printable(failure.From(u.Lost).Sentence()))
	}
	return nil
}

func (t *jobTeller) event(e client.Event) error {
	if t.json {
		return jsonLine(t.out, "event", fields{"job_id": t.id, "seq": e.Seq, "kind": e.Kind, "message": e.Message, "figures": e.Payload,
			"actor": e.Actor, "created_at": e.CreatedAt})
	}
	if terminal.Columns(t.err) > 0 && !isNews(e.Kind) {
		t.bar.note(t.noteOf(e))
		return nil
	}
	t.bar.clear()
	t.line(e.CreatedAt, string(e.Kind), e.Message)
	return nil
}

func (t *jobTeller) line(at time.Time, what, text string) {
	fmt.Fprintf(t.err, "%s  %-17s  %s\n", at.Local().Format(time.TimeOnly), printable(what), printable(text))
}

// isNews are the kinds that a person who looks at a bar has to read.
func isNews(kind transfer.EventKind) bool {
	switch kind {
	case transfer.EventRetryScheduled, transfer.EventRecovered, transfer.EventCancelRequested:
		return true
	}
	return false
}

func (t *jobTeller) noteOf(e client.Event) string {
	if e.Kind == transfer.EventCreated {
		return fmt.Sprintf("Job %d waits for a worker of the queue %s", t.id, t.queue)
	}
	return e.Message
}

func (t *jobTeller) progress(told client.Progress) error {
	p := progressOf(told)
	switch {
	case told.Phase == nil: // nothing is known yet
	case t.json:
		f := progressFields(p)
		f["job_id"], f["worker"], f["updated_at"] = t.id, told.Worker, told.UpdatedAt
		return jsonLine(t.out, "progress", f)
	case terminal.Columns(t.err) > 0:
		t.bar.draw(p)
	case p.Phase != t.plainPhase || told.UpdatedAt.Sub(t.plainAt) >= plainEvery:
		t.plainPhase, t.plainAt = p.Phase, told.UpdatedAt
		figures := figuresOf(p)
		if hasTotals(p) {
			figures = percent(shareOf(p)) + "  " + figures
		}
		t.line(told.UpdatedAt, string(p.Phase), figures)
	}
	return nil
}

// progressOf is a job's progress in the words of a run's.
func progressOf(told client.Progress) transfer.Progress {
	p := transfer.Progress{FilesDone: told.FilesDone, FilesTotal: told.FilesTotal, BytesDone: told.BytesDone, BytesTotal: told.BytesTotal,
		BytesPerSecond: told.BytesPerSecond}
	if told.Phase != nil {
		p.Phase = transfer.Phase(*told.Phase)
	}
	if told.EtaSeconds != nil {
		const longest = 1e9
		p.Left = time.Duration(min(*told.EtaSeconds, longest) * float64(time.Second))
	}
	return p
}

// finished says what became of the job; its result ends the process with the status that fits.
func (t *jobTeller) finished(job client.JobDetail) error {
	t.bar.clear()
	switch job.Status {
	case transfer.Success:
		return t.succeeded(job)
	case transfer.Cancelled:
		return t.failed(job, "was cancelled", &failure.Error{Code: failure.Cancelled, Message: fmt.Sprintf("Job %d was cancelled", job.ID)})
	}
	f := &failure.Error{Code: failure.Internal, Message: fmt.Sprintf("Job %d failed, and doesn't say why", job.ID)}
	if job.Error != nil {
		f = &failure.Error{Code: job.Error.Code, Message: job.Error.Message, Hint: job.Error.Hint}
		if job.Error.Path != nil {
			f.Path = *job.Error.Path
		}
	}
	return t.failed(job, "failed", f)
}

func (t *jobTeller) succeeded(job client.JobDetail) error {
	rate := rateOf(job.BytesCopied, job.DurationSeconds)
	final := finalText(job.DestinationPortal, job.DestinationPath, job.SourcePath)
	if t.json {
		return jsonLine(t.out, "summary", fields{
			"job_id": job.ID, "status": job.Status, "source": placeText(job.SourcePortal, job.SourcePath), "destination": final, "mode": job.Mode,
			"strategy": job.Strategy, "method": job.Method, "verify": job.Verify, "files": job.FilesCopied, "bytes": job.BytesCopied,
			"seconds": job.DurationSeconds, "queued_seconds": job.QueuedSeconds, "mb_per_second": rate,
		})
	}
	done := map[transfer.Mode]string{transfer.Copy: "copied", transfer.Move: "moved"}[job.Mode]
	proof := fmt.Sprintf("%s, %s", textOf(job.Strategy), proofText(job.Method, job.Verify))
	_, err := fmt.Fprintf(t.out, "Job %d %s %s, %s in %s (%.1f MB/s) to %s (%s)\n", job.ID, done, countText(job.FilesCopied, "file"),
		bytesText(job.BytesCopied), secondsText(job.DurationSeconds), rate, final, printable(proof))
	return err
}

// failed has the last line on standard output too, whatever main says of the failure.
func (t *jobTeller) failed(job client.JobDetail, how string, f *failure.Error) error {
	if t.json {
		line := errorFields(f)
		line["job_id"] = t.id
		if err := jsonLine(t.out, "error", line); err != nil {
			return err
		}
		return &exitError{status: f.Code.ExitStatus()}
	}
	after := ""
	if job.DurationSeconds != nil {
		after = " after " + secondsText(job.DurationSeconds)
	}
	if _, err := fmt.Fprintf(t.out, "Job %d %s%s.\n", job.ID, how, after); err != nil {
		return err
	}
	if f.Code == failure.Cancelled {
		return &exitError{status: f.Code.ExitStatus()}
	}
	return f
}
