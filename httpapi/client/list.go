package client

import (
	"context"
	"net/http"
)

// Jobs returns a page of the jobs that fit the filters.
func (c *Client) Jobs(ctx context.Context, filters ListJobsParams) (JobPage, error) {
	return asked[JobPage](ctx, c, func() (*http.Response, error) { return c.generated.ListJobs(ctx, &filters) })
}

// History is Jobs, with shorter pages unless a limit is given.
func (c *Client) History(ctx context.Context, filters ListJobsHistoryParams) (JobPage, error) {
	return asked[JobPage](ctx, c, func() (*http.Response, error) { return c.generated.ListJobsHistory(ctx, &filters) })
}
