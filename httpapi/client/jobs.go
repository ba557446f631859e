package client

import (
	"context"
	"net/http"

	"github.com/ketter/ketter/engine/transfer"
)

// Order is what POST /jobs takes: what is empty is left to the API. A path of a portal is one inside of it.
type Order struct {
	SourcePortal, SourcePath           string
	DestinationPortal, DestinationPath string
	Mode                               transfer.Mode
	Strategy                           transfer.Strategy
	Verify                             transfer.Verify
	Queue                              string
	Priority                           int
	IdempotencyKey                     string // asking twice under one key makes one job; empty: none
}

// jobWithProgress is the contract's JobWithProgress.
type jobWithProgress struct {
	Job
	Progress *Progress `json:"progress"`
}

// jobDetail is the contract's JobDetail.
type jobDetail struct {
	jobWithProgress
	RequestedStrategy   transfer.Strategy `json:"requested_strategy"`
	Method              *transfer.Method  `json:"method"` // nil until the job has succeeded
	Verify              transfer.Verify   `json:"verify"`
	Takeovers           int               `json:"takeovers"`
	SourcePortalID      *int64            `json:"source_portal_id"`
	DestinationPortalID *int64            `json:"destination_portal_id"`
	Events              []Event           `json:"events"`
}

// portalRef names a portal by its name or id.
type portalRef = string

func (o Order) request() JobRequest {
	return JobRequest{
		SourcePath: o.SourcePath, SourcePortal: given(o.SourcePortal), DestinationPath: o.DestinationPath, DestinationPortal: given(o.DestinationPortal),
		Mode: o.Mode, Strategy: given(o.Strategy), Verify: given(o.Verify), Queue: given(o.Queue), Priority: given(o.Priority),
	}
}

// given is nil for what was left empty.
func given[T comparable](value T) *T {
	var empty T
	if value == empty {
		return nil
	}
	return &value
}

// Submit queues a job.
func (c *Client) Submit(ctx context.Context, order Order) (Job, error) {
	return asked[Job](ctx, c, func() (*http.Response, error) {
		return c.generated.CreateJob(ctx, &CreateJobParams{IdempotencyKey: given(order.IdempotencyKey)}, order.request())
	})
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id int64) (JobWithProgress, error) {
	return asked[JobWithProgress](ctx, c, func() (*http.Response, error) { return c.generated.GetJob(ctx, id) })
}

// Detail returns a job with its method and events.
func (c *Client) Detail(ctx context.Context, id int64) (JobDetail, error) {
	return asked[JobDetail](ctx, c, func() (*http.Response, error) { return c.generated.GetJobDetail(ctx, id) })
}

// Cancel ends a job and returns it as it is then: one that runs is cancelled a moment later.
func (c *Client) Cancel(ctx context.Context, id int64) (Job, error) {
	return asked[Job](ctx, c, func() (*http.Response, error) { return c.generated.CancelJob(ctx, id, Nothing{}) })
}

// Retry queues a job that failed or was cancelled again.
func (c *Client) Retry(ctx context.Context, id int64) (Job, error) {
	return asked[Job](ctx, c, func() (*http.Response, error) { return c.generated.RetryJob(ctx, id, Nothing{}) })
}
