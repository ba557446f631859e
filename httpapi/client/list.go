package client

import (
	"context"
	"net/url"
)

// Jobs returns a page of the jobs that fit the filters (status, mode, strategy, code, portal, since, until, before, limit).
func (c *Client) Jobs(ctx context.Context, filters url.Values) (page JobPage, err error) {
	err = c.Get(ctx, "/jobs?"+filters.Encode(), &page)
	return page, err
}

// LatestJobs is Jobs from the history, whose pages are shorter unless a limit is given.
func (c *Client) LatestJobs(ctx context.Context, filters url.Values) (page JobPage, err error) {
	err = c.Get(ctx, historyPath+"?"+filters.Encode(), &page)
	return page, err
}
