package client

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/engine/transfer"
)

// Job is what is known of a job here.
type Job struct {
	ID     int64           `json:"id"`
	Status transfer.Status `json:"status"`
	Queue  string          `json:"queue"`
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
