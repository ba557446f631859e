package httpapi

import (
	"math"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// jobWithProgress is the contract's JobWithProgress.
type jobWithProgress struct {
	Job
	Progress *Progress `json:"progress"`
}

// jobDetail is the contract's JobDetail.
type jobDetail struct {
	jobWithProgress
	RequestedStrategy   transfer.Strategy `json:"requested_strategy"`
	Method              *transfer.Method  `json:"method"`
	Verify              transfer.Verify   `json:"verify"`
	Takeovers           int32             `json:"takeovers"`
	SourcePortalID      *int64            `json:"source_portal_id"`
	DestinationPortalID *int64            `json:"destination_portal_id"`
	Events              []Event           `json:"events"`
}

func viewJob(job db.Job, now time.Time) Job {
	return Job{
		ID: job.ID, Mode: job.Mode, Status: job.Status,
		Queue: job.Queue, Priority: int(job.Priority), Attempts: int(job.Attempts), Strategy: job.Strategy,
		SourcePath: job.SourcePath, DestinationPath: job.DestinationPath,
		SourcePortal: job.SourcePortalName, DestinationPortal: job.DestinationPortalName,
		FilesCopied: job.FilesCopied, BytesCopied: job.BytesCopied,
		DurationSeconds: durationSeconds(job, now), QueuedSeconds: queuedSeconds(job, now),
		CreatedAt: job.CreatedAt.UTC(), StartedAt: utc(job.StartedAt),
		FinishedAt: utc(job.FinishedAt), UpdatedAt: job.UpdatedAt.UTC(),
		Error: viewError(job),
	}
}

func viewJobs(jobs []db.Job, now time.Time) []Job {
	views := make([]Job, len(jobs)) // never nil: an empty list is [], not null
	for i, job := range jobs {
		views[i] = viewJob(job, now)
	}
	return views
}

func viewWithProgress(found db.Followed, now time.Time) jobWithProgress {
	return jobWithProgress{Job: viewJob(found.Job, now), Progress: viewProgress(found.Progress)}
}

func viewProgress(p *db.RunProgress) *Progress {
	if p == nil {
		return nil
	}
	return &Progress{
		Worker: p.Worker, Phase: orNull(p.Phase), FilesDone: p.FilesDone, FilesTotal: p.FilesTotal,
		BytesDone: p.BytesDone, BytesTotal: p.BytesTotal, BytesPerSecond: math.Round(p.BytesPerSecond),
		EtaSeconds: orNull(math.Ceil(p.SecondsLeft*10) / 10), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func viewDetail(found db.Followed, now time.Time) jobDetail {
	job := found.Job
	view := jobDetail{
		jobWithProgress: viewWithProgress(found, now), RequestedStrategy: job.RequestedStrategy, Method: job.Method,
		Verify: job.Verify, Takeovers: job.Takeovers, SourcePortalID: job.SourcePortal, DestinationPortalID: job.DestinationPortal, Events: make([]Event, len(found.Events)),
	}
	for i, e := range found.Events {
		view.Events[i] = viewEvent(e)
	}
	return view
}

func viewEvent(e db.JobEvent) Event {
	return Event{Seq: e.Seq, Kind: e.Kind, Message: e.Message, Payload: e.Payload, CreatedAt: e.CreatedAt.UTC()}
}

func viewError(job db.Job) *JobError {
	if job.ErrorCode == nil {
		return nil
	}
	view := &JobError{Code: *job.ErrorCode, Message: orZero(job.ErrorMessage), Hint: orZero(job.ErrorHint)}
	if view.Hint == "" {
		view.Hint = view.Code.Hint()
	}
	if orZero(job.ErrorPath) != "" {
		view.Path = job.ErrorPath
	}
	return view
}

// orNull makes null of a zero that stands for what is not known.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// durationSeconds counts the latest run, so far where it goes on. A job that went back to the queue has no run.
func durationSeconds(job db.Job, now time.Time) *float64 {
	if !hasRun(job) {
		return nil
	}
	d := seconds(endOr(job, now).Sub(*job.StartedAt))
	return &d
}

// queuedSeconds counts from when a person last queued the job to the start of its latest run, or to its end or to now if it
// has none.
func queuedSeconds(job db.Job, now time.Time) float64 {
	if !hasRun(job) {
		return seconds(endOr(job, now).Sub(job.QueuedAt))
	}
	return seconds(job.StartedAt.Sub(job.QueuedAt))
}

// hasRun leaves out what ran before an operator queued the job again: started_at stays until the next run.
func hasRun(job db.Job) bool {
	return job.StartedAt != nil && job.Status != transfer.Pending && !job.StartedAt.Before(job.QueuedAt)
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
