package client

import (
	"context"
	"net/http"

	"github.com/ketter/ketter/engine/failure"
)

// Plan asks what would become of an order. Nothing is recorded.
func (c *Client) Plan(ctx context.Context, order Order) (Plan, error) {
	dry := order.request()
	dry.DryRun = given(true)
	plan, err := asked[Plan](ctx, c, func() (*http.Response, error) { return c.generated.CreateJob(ctx, &CreateJobParams{}, dry) })
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
