package httpapi

import (
	"encoding/json"
	"math"
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
	Queue           string             `json:"queue"`
	Priority        int16              `json:"priority"`
	Attempts        int32              `json:"attempts"`
	Strategy        *transfer.Strategy `json:"strategy"` // null until decided
	SourcePath      string             `json:"source_path"`
	DestinationPath string             `json:"destination_path"`
	// The portals' names when the job was submitted; null: the path is the worker's own.
	SourcePortal      *string    `json:"source_portal"`
	DestinationPortal *string    `json:"destination_portal"`
	FilesCopied       int64      `json:"files_copied"`
	BytesCopied       int64      `json:"bytes_copied"`
	DurationSeconds   *float64   `json:"duration_seconds"` // of the run, without the wait; null when there was none
	QueuedSeconds     float64    `json:"queued_seconds"`
	CreatedAt         time.Time  `json:"created_at"`
	StartedAt         *time.Time `json:"started_at"`
	FinishedAt        *time.Time `json:"finished_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
	SubmittedBy       *string    `json:"submitted_by"` // null: nobody was asked who he is
	Error             *errorView `json:"error"`
}

type errorView struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Path    *string      `json:"path"` // null where the error is no path's
	Hint    string       `json:"hint"`
}

// oneView is a job that was asked for by its id.
type oneView struct {
	jobView
	Progress *progressView `json:"progress"` // null unless it is running
}

type progressView struct {
	Worker         string    `json:"worker"`
	Phase          *string   `json:"phase"` // null until the run has said for the first time
	FilesDone      int64     `json:"files_done"`
	FilesTotal     int64     `json:"files_total"`
	BytesDone      int64     `json:"bytes_done"`
	BytesTotal     int64     `json:"bytes_total"`
	BytesPerSecond float64   `json:"bytes_per_second"`
	EtaSeconds     *float64  `json:"eta_seconds"` // from updated_at; null while not known
	UpdatedAt      time.Time `json:"updated_at"`
}

// detailView is a job with what it was asked for and all that happened to it.
type detailView struct {
	oneView
	RequestedStrategy   transfer.Strategy `json:"requested_strategy"`
	Method              *transfer.Method  `json:"method"`
	Verify              transfer.Verify   `json:"verify"`
	Takeovers           int32             `json:"takeovers"`
	SourcePortalID      *int64            `json:"source_portal_id"`
	DestinationPortalID *int64            `json:"destination_portal_id"`
	Events              []eventView       `json:"events"`
}

type eventView struct {
	Seq       int64              `json:"seq"`
	Kind      transfer.EventKind `json:"kind"`
	Message   string             `json:"message"`
	Payload   json.RawMessage    `json:"payload"`
	Actor     *string            `json:"actor"` // null: Ketter by itself, or nobody was asked
	CreatedAt time.Time          `json:"created_at"`
}

func viewJob(job db.Job, now time.Time) jobView {
	return jobView{
		ID: job.ID, Mode: job.Mode, Status: job.Status,
		Queue: job.Queue, Priority: job.Priority, Attempts: job.Attempts, Strategy: job.Strategy,
		SourcePath: job.SourcePath, DestinationPath: job.DestinationPath,
		SourcePortal: job.SourcePortalName, DestinationPortal: job.DestinationPortalName,
		FilesCopied: job.FilesCopied, BytesCopied: job.BytesCopied,
		DurationSeconds: durationSeconds(job, now), QueuedSeconds: queuedSeconds(job, now),
		CreatedAt: job.CreatedAt.UTC(), StartedAt: utc(job.StartedAt),
		FinishedAt: utc(job.FinishedAt), UpdatedAt: job.UpdatedAt.UTC(),
		SubmittedBy: job.SubmittedBy, Error: viewError(job),
	}
}

func viewJobs(jobs []db.Job, now time.Time) []jobView {
	views := make([]jobView, len(jobs)) // never nil: an empty list is [], not null
	for i, job := range jobs {
		views[i] = viewJob(job, now)
	}
	return views
}

func viewOne(found db.Followed, now time.Time) oneView {
	return oneView{jobView: viewJob(found.Job, now), Progress: viewProgress(found.Progress)}
}

func viewProgress(p *db.RunProgress) *progressView {
	if p == nil {
		return nil
	}
	return &progressView{
		Worker: p.Worker, Phase: orNull(p.Phase), FilesDone: p.FilesDone, FilesTotal: p.FilesTotal,
		BytesDone: p.BytesDone, BytesTotal: p.BytesTotal, BytesPerSecond: math.Round(p.BytesPerSecond),
		EtaSeconds: orNull(math.Ceil(p.SecondsLeft*10) / 10), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func viewDetail(found db.Followed, now time.Time) detailView {
	job := found.Job
	view := detailView{
		oneView: viewOne(found, now), RequestedStrategy: job.RequestedStrategy, Method: job.Method,
		Verify: job.Verify, Takeovers: job.Takeovers, SourcePortalID: job.SourcePortal, DestinationPortalID: job.DestinationPortal, Events: make([]eventView, len(found.Events)),
	}
	for i, e := range found.Events {
		view.Events[i] = viewEvent(e)
	}
	return view
}

func viewEvent(e db.JobEvent) eventView {
	return eventView{e.Seq, e.Kind, e.Message, e.Payload, e.Actor, e.CreatedAt.UTC()}
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

// orNull makes null of a zero that stands for what is not known.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
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
