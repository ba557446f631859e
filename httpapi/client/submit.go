package client

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/engine/transfer"
)

// NewJob is what POST /jobs is asked. What is empty is left to the API.
type NewJob struct {
	SourcePath      string            `json:"source_path"`
	DestinationPath string            `json:"destination_path"`
	Mode            transfer.Mode     `json:"mode"`
	Strategy        transfer.Strategy `json:"strategy,omitempty"`
	Queue           string            `json:"queue,omitempty"`
	Priority        int               `json:"priority,omitempty"`
}

// Submit queues a job.
func (c *Client) Submit(ctx context.Context, job NewJob) (queued Job, err error) {
	err = c.Post(ctx, "/jobs", job, &queued)
	return queued, err
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id int64) (job Job, err error) {
	err = c.Get(ctx, fmt.Sprintf("/jobs/%d", id), &job)
	return job, err
}
