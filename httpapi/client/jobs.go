package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Order is what POST /jobs takes: what is empty is left to the API. A path of a portal is one inside of it.
type Order struct {
	SourcePortal      string            `json:"source_portal,omitempty"`
	SourcePath        string            `json:"source_path"`
	DestinationPortal string            `json:"destination_portal,omitempty"`
	DestinationPath   string            `json:"destination_path"`
	Mode              transfer.Mode     `json:"mode"`
	Strategy          transfer.Strategy `json:"strategy,omitempty"`
	Verify            transfer.Verify   `json:"verify,omitempty"`
	Queue             string            `json:"queue,omitempty"`
	Priority          int               `json:"priority,omitempty"`
	IdempotencyKey    string            `json:"-"` // a header: asking twice under one key makes one job; empty: none
}

// Job is a job as the API tells of it.
type Job struct {
	ID                int64              `json:"id"`
	Mode              transfer.Mode      `json:"mode"`
	Status            transfer.Status    `json:"status"`
	Queue             string             `json:"queue"`
	Priority          int                `json:"priority"`
	Attempts          int                `json:"attempts"`
	Strategy          *transfer.Strategy `json:"strategy"` // nil until it is decided
	SourcePath        string             `json:"source_path"`
	DestinationPath   string             `json:"destination_path"`
	SourcePortal      *string            `json:"source_portal"` // nil: the path is the worker's own
	DestinationPortal *string            `json:"destination_portal"`
	FilesCopied       int64              `json:"files_copied"`
	BytesCopied       int64              `json:"bytes_copied"`
	DurationSeconds   *float64           `json:"duration_seconds"` // nil while there was no run
	QueuedSeconds     float64            `json:"queued_seconds"`
	CreatedAt         time.Time          `json:"created_at"`
	StartedAt         *time.Time         `json:"started_at"`
	FinishedAt        *time.Time         `json:"finished_at"`
	UpdatedAt         time.Time          `json:"updated_at"`
	SubmittedBy       *string            `json:"submitted_by"`     // the name of a token; nil: without one
	Error             *JobError          `json:"error"`            // nil unless it failed
	Method            *transfer.Method   `json:"method,omitempty"` // by Detail, once it has succeeded
	Events            []JobEvent         `json:"events,omitempty"` // by Detail
}

// JobError is why a job failed.
type JobError struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Path    *string      `json:"path"`
	Hint    string       `json:"hint"`
}

// JobEvent is a step of a job.
type JobEvent struct {
	Seq     int64              `json:"seq"`
	Kind    transfer.EventKind `json:"kind"`
	Message string             `json:"message"`
	Payload json.RawMessage    `json:"payload"`
}

// Submit queues a job.
func (c *Client) Submit(ctx context.Context, order Order) (job Job, err error) {
	err = c.send(ctx, http.MethodPost, "/jobs", order.IdempotencyKey, order, &job)
	return job, err
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id int64) (job Job, err error) {
	err = c.Get(ctx, fmt.Sprintf("/jobs/%d", id), &job)
	return job, err
}

// Detail returns a job with its method and events.
func (c *Client) Detail(ctx context.Context, id int64) (job Job, err error) {
	err = c.Get(ctx, fmt.Sprintf("/jobs/%d/detail", id), &job)
	return job, err
}

// History returns the latest jobs that fit the filters (limit, mode, status, strategy), newest first.
func (c *Client) History(ctx context.Context, filters url.Values) ([]Job, error) {
	var list struct {
		Jobs []Job `json:"jobs"`
	}
	err := c.Get(ctx, "/stats/jobs-history?"+filters.Encode(), &list)
	return list.Jobs, err
}

// Cancel ends a job and returns it as it is then: one that runs is cancelled a moment later.
func (c *Client) Cancel(ctx context.Context, id int64) (job Job, err error) {
	err = c.Post(ctx, fmt.Sprintf("/jobs/%d/cancel", id), nil, &job)
	return job, err
}

// Retry queues a job that failed or was cancelled again.
func (c *Client) Retry(ctx context.Context, id int64) (job Job, err error) {
	err = c.Post(ctx, fmt.Sprintf("/jobs/%d/retry", id), nil, &job)
	return job, err
}
