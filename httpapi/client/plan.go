package client

import (
	"context"
	"net/http"
)

// Plan asks what would become of an order. Nothing is recorded.
func (c *Client) Plan(ctx context.Context, order Order) (Plan, error) {
	dry := order.request()
	dry.DryRun = given(true)
	plan, err := asked[Plan](ctx, c, func() (*http.Response, error) { return c.generated.CreateJob(ctx, &CreateJobParams{}, dry) })
	if err == nil && !plan.DryRun { // one that knows no dry_run would have refused it; this is somebody else
		return plan, c.failed(c.shown+" answers no plan", nil)
	}
	return plan, err
}
