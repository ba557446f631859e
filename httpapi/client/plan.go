package client

import (
	"context"
	"net/http"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// planDeadline is more than the API's own of 2 minutes, so that its answer comes, whatever that is.
const planDeadline = 150 * time.Second

// Plan asks what would become of an order. Nothing is recorded.
func (c *Client) Plan(ctx context.Context, order Order) (Plan, error) {
	dry := order.request()
	dry.DryRun = given(true)
	patient := c.http
	patient.Timeout = planDeadline
	generated, err := NewClient(c.base, WithHTTPClient(&patient), WithRequestEditorFn(c.bringToken))
	if err != nil {
		return Plan{}, err
	}
	plan, err := asked[Plan](ctx, c, func() (*http.Response, error) { return generated.CreateJob(ctx, &CreateJobParams{}, dry) })
	if err == nil && !plan.DryRun { // one that knows no dry_run would have refused it; this is somebody else
		return plan, c.noPlan()
	}
	return plan, err
}

func (c *Client) noPlan() error {
	return &failure.Error{
		Code: Unreachable, Message: c.shown + " answers no plan, and may have made a job of it",
		Hint: "See whether there is one with `ketter jobs list`; `ketter jobs cancel ID` ends it.",
	}
}
