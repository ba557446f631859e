package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Summary returns the figures of the jobs that fit the filters.
func (c *Client) Summary(ctx context.Context, filters GetJobsSummaryParams) (Summary, error) {
	return asked[Summary](ctx, c, func() (*http.Response, error) { return c.generated.GetJobsSummary(ctx, &filters) })
}

// SummaryCSV writes the same as a table, one group a line.
func (c *Client) SummaryCSV(ctx context.Context, filters GetJobsSummaryParams, out io.Writer) error {
	request, err := NewGetJobsSummaryRequest(c.base, &filters)
	if err != nil {
		return err
	}
	_, err = c.csv(ctx, request, out)
	return err
}

// HistoryCSV writes a page of the history as a table, one job a line, and says whether there is another one.
func (c *Client) HistoryCSV(ctx context.Context, filters ListJobsHistoryParams, out io.Writer) (more bool, err error) {
	request, err := NewListJobsHistoryRequest(c.base, &filters)
	if err != nil {
		return false, err
	}
	header, err := c.csv(ctx, request, out)
	return header.Get("Link") != "", err
}

// csv copies a table as it comes. What breaks off fails, and the lines before that were written.
func (c *Client) csv(ctx context.Context, request *http.Request, out io.Writer) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	response, err := c.open(ctx, request, "text/csv")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	n, err := io.Copy(out, io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, "broke off its answer", err)
	case n == maxAnswer:
		return nil, c.failed(fmt.Sprintf("%s sends a table without an end", c.shown), nil)
	}
	return response.Header, nil
}
