package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// JobPage is a page of jobs, newest first.
type JobPage struct {
	Jobs       []Job  `json:"jobs"`
	NextBefore *int64 `json:"next_before"` // before, for the next page; nil on the last one
}

// Progress is what a job's worker said at UpdatedAt. Counts are those of the phase.
type Progress struct {
	Worker         string    `json:"worker"`
	Phase          *string   `json:"phase"` // nil until the run has said something
	FilesDone      int64     `json:"files_done"`
	FilesTotal     int64     `json:"files_total"`
	BytesDone      int64     `json:"bytes_done"`
	BytesTotal     int64     `json:"bytes_total"`
	BytesPerSecond float64   `json:"bytes_per_second"`
	EtaSeconds     *float64  `json:"eta_seconds"` // for the run as a whole; nil while there is too little to go by
	UpdatedAt      time.Time `json:"updated_at"`
}

// Event is a step of a job.
type Event struct {
	Seq       int64              `json:"seq"`
	Kind      transfer.EventKind `json:"kind"`
	Message   string             `json:"message"`
	Payload   json.RawMessage    `json:"payload"`
	Actor     *string            `json:"actor"` // the name of a token; nil: Ketter by itself, or somebody without one
	CreatedAt time.Time          `json:"created_at"`
}

// JobDetail is a job with what was asked for, how far it is and all that happened to it.
type JobDetail struct {
	ID                  int64              `json:"id"`
	Mode                transfer.Mode      `json:"mode"`
	Status              transfer.Status    `json:"status"`
	Queue               string             `json:"queue"`
	Priority            int                `json:"priority"`
	Attempts            int                `json:"attempts"`
	Strategy            *transfer.Strategy `json:"strategy"`
	SourcePath          string             `json:"source_path"`
	DestinationPath     string             `json:"destination_path"`
	SourcePortal        *string            `json:"source_portal"`
	DestinationPortal   *string            `json:"destination_portal"`
	FilesCopied         int64              `json:"files_copied"`
	BytesCopied         int64              `json:"bytes_copied"`
	DurationSeconds     *float64           `json:"duration_seconds"`
	QueuedSeconds       float64            `json:"queued_seconds"`
	CreatedAt           time.Time          `json:"created_at"`
	StartedAt           *time.Time         `json:"started_at"`
	FinishedAt          *time.Time         `json:"finished_at"`
	UpdatedAt           time.Time          `json:"updated_at"`
	SubmittedBy         *string            `json:"submitted_by"`
	Error               *JobError          `json:"error"`
	Progress            *Progress          `json:"progress"`
	RequestedStrategy   transfer.Strategy  `json:"requested_strategy"`
	Method              *transfer.Method   `json:"method"` // nil until it has succeeded
	Verify              transfer.Verify    `json:"verify"`
	Takeovers           int                `json:"takeovers"`
	SourcePortalID      *int64             `json:"source_portal_id"`
	DestinationPortalID *int64             `json:"destination_portal_id"`
	Events              []Event            `json:"events"`
}

// Jobs returns a page of the jobs that fit the filters (status, mode, strategy, code, portal, since, until, before, limit).
func (c *Client) Jobs(ctx context.Context, filters url.Values) (page JobPage, err error) {
	err = c.Get(ctx, "/jobs?"+filters.Encode(), &page)
	return page, err
}

// LatestJobs is Jobs from the history, whose pages are shorter unless a limit is given.
func (c *Client) LatestJobs(ctx context.Context, filters url.Values) (page JobPage, err error) {
	err = c.Get(ctx, historyPath+"?"+filters.Encode(), &page)
	return page, err
}

// JobDetail returns a job with its events.
func (c *Client) JobDetail(ctx context.Context, id int64) (job JobDetail, err error) {
	err = c.Get(ctx, fmt.Sprintf("/jobs/%d/detail", id), &job)
	return job, err
}
