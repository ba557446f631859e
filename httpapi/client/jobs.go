package client

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Job is what is known of a job here.
type Job struct {
	ID              int64              `json:"id"`
	Status          transfer.Status    `json:"status"`
	Strategy        *transfer.Strategy `json:"strategy"` // nil until it is decided
	Queue           string             `json:"queue"`
	DurationSeconds *float64           `json:"duration_seconds"` // nil while there was no run
	Error           *JobError          `json:"error"`            // nil unless it failed
}

// JobError is why a job failed.
type JobError struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Hint    string       `json:"hint"`
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
