package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Order is what POST /jobs takes. A path of a portal is one inside of it.
type Order struct {
	SourcePortal      string            `json:"source_portal,omitempty"`
	SourcePath        string            `json:"source_path"`
	DestinationPortal string            `json:"destination_portal,omitempty"`
	DestinationPath   string            `json:"destination_path"`
	Mode              transfer.Mode     `json:"mode"`
	Strategy          transfer.Strategy `json:"strategy,omitempty"`
}

// JobDetail is a job with what became of it. Its events are there when it was asked for by Detail.
type JobDetail struct {
	ID              int64              `json:"id"`
	Mode            transfer.Mode      `json:"mode"`
	Status          transfer.Status    `json:"status"`
	Strategy        *transfer.Strategy `json:"strategy"`
	Method          *transfer.Method   `json:"method"`
	FilesCopied     int64              `json:"files_copied"`
	BytesCopied     int64              `json:"bytes_copied"`
	DurationSeconds *float64           `json:"duration_seconds"`
	StartedAt       *time.Time         `json:"started_at"`
	FinishedAt      *time.Time         `json:"finished_at"`
	Error           *JobError          `json:"error"`
	Events          []JobEvent         `json:"events"`
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

// Submit posts a job.
func (c *Client) Submit(ctx context.Context, order Order) (job JobDetail, err error) {
	err = c.Post(ctx, "/jobs", order, &job)
	return job, err
}

// Detail returns a job with its events.
func (c *Client) Detail(ctx context.Context, id int64) (job JobDetail, err error) {
	err = c.Get(ctx, fmt.Sprintf("/jobs/%d/detail", id), &job)
	return job, err
}

// History returns the latest jobs that fit the filters (limit, mode, status, strategy), newest first.
func (c *Client) History(ctx context.Context, filters url.Values) ([]JobDetail, error) {
	var list struct {
		Jobs []JobDetail `json:"jobs"`
	}
	err := c.Get(ctx, "/stats/jobs-history?"+filters.Encode(), &list)
	return list.Jobs, err
}
