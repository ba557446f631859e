package httpapi

import (
	"encoding/json"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// jobView is a job as operators see it. Its names are a contract.
type jobView struct {
	ID              int64              `json:"id"`
	Mode            transfer.Mode      `json:"mode"`
	Status          transfer.Status    `json:"status"`
	Strategy        *transfer.Strategy `json:"strategy"` // null until decided
	SourcePath      string             `json:"source_path"`
	DestinationPath string             `json:"destination_path"`
	FilesCopied     int64              `json:"files_copied"`
	BytesCopied     int64              `json:"bytes_copied"`
	DurationSeconds *float64           `json:"duration_seconds"` // of the run, without the wait; null when there was none
	QueuedSeconds   float64            `json:"queued_seconds"`
	CreatedAt       time.Time          `json:"created_at"`
	StartedAt       *time.Time         `json:"started_at"`
	FinishedAt      *time.Time         `json:"finished_at"`
	UpdatedAt       time.Time          `json:"updated_at"`
	Error           *errorView         `json:"error"`
}

type errorView struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Path    *string      `json:"path"` // null where the error is no path's
	Hint    string       `json:"hint"`
}

// detailView is a job with what it was asked for and all that happened to it.
type detailView struct {
	jobView
	RequestedStrategy transfer.Strategy `json:"requested_strategy"`
	Method            *transfer.Method  `json:"method"`
	Verify            transfer.Verify   `json:"verify"`
	Attempts          int32             `json:"attempts"`
	Events            []eventView       `json:"events"`
}

type eventView struct {
	Seq       int64              `json:"seq"`
	Kind      transfer.EventKind `json:"kind"`
	Message   string             `json:"message"`
	Payload   json.RawMessage    `json:"payload"`
	CreatedAt time.Time          `json:"created_at"`
}

func viewJob(job db.Job, now time.Time) jobView {
	return jobView{
		ID: job.ID, Mode: job.Mode, Status: job.Status, Strategy: job.Strategy,
		SourcePath: job.SourcePath, DestinationPath: job.DestinationPath,
		FilesCopied: job.FilesCopied, BytesCopied: job.BytesCopied,
		DurationSeconds: durationSeconds(job, now), QueuedSeconds: queuedSeconds(job, now),
		CreatedAt: job.CreatedAt.UTC(), StartedAt: utc(job.StartedAt),
		FinishedAt: utc(job.FinishedAt), UpdatedAt: job.UpdatedAt.UTC(),
		Error: viewError(job),
	}
}

func viewJobs(jobs []db.Job, now time.Time) []jobView {
	views := make([]jobView, len(jobs)) // never nil: an empty list is [], not null
	for i, job := range jobs {
		views[i] = viewJob(job, now)
	}
	return views
}

func viewDetail(job db.Job, events []db.JobEvent, now time.Time) detailView {
	view := detailView{
		jobView: viewJob(job, now), RequestedStrategy: job.RequestedStrategy, Method: job.Method,
		Verify: job.Verify, Attempts: job.Attempts, Events: make([]eventView, len(events)),
	}
	for i, e := range events {
		view.Events[i] = eventView{e.Seq, e.Kind, e.Message, e.Payload, e.CreatedAt.UTC()}
	}
	return view
}

func viewError(job db.Job) *errorView {
	if job.ErrorCode == nil {
		return nil
	}
	view := &errorView{Code: *job.ErrorCode, Message: orEmpty(job.ErrorMessage), Hint: orEmpty(job.ErrorHint)}
	if view.Hint == "" {
		view.Hint = view.Code.Hint()
	}
	if orEmpty(job.ErrorPath) != "" {
		view.Path = job.ErrorPath
	}
	return view
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// durationSeconds counts the latest run, so far where it goes on. A job that went back to the queue has no run.
func durationSeconds(job db.Job, now time.Time) *float64 {
	if job.StartedAt == nil || job.Status == transfer.Pending {
		return nil
	}
	d := seconds(endOr(job, now).Sub(*job.StartedAt))
	return &d
}

// queuedSeconds counts from the job's creation to the start of its latest run, or to its end or to now if it has none.
func queuedSeconds(job db.Job, now time.Time) float64 {
	if job.StartedAt == nil || job.Status == transfer.Pending {
		return seconds(endOr(job, now).Sub(job.CreatedAt))
	}
	return seconds(job.StartedAt.Sub(job.CreatedAt))
}

func endOr(job db.Job, now time.Time) time.Time {
	if job.FinishedAt != nil {
		return *job.FinishedAt
	}
	return now
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
