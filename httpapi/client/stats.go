package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

const (
	summaryPath = "/stats/summary"
	historyPath = "/stats/jobs-history"
)

// Summary returns the figures of the jobs that fit the filters (since, until, mode, strategy, portal).
func (c *Client) Summary(ctx context.Context, filters url.Values) (summary Summary, err error) {
	err = c.Get(ctx, summaryPath+"?"+filters.Encode(), &summary)
	return summary, err
}

// SummaryCSV writes the same as a table, one group a line.
func (c *Client) SummaryCSV(ctx context.Context, filters url.Values, out io.Writer) error {
	_, err := c.csv(ctx, summaryPath+"?"+filters.Encode(), out)
	return err
}

// HistoryCSV writes a page of the history as a table, one job a line, and says whether there is another one.
func (c *Client) HistoryCSV(ctx context.Context, filters url.Values, out io.Writer) (more bool, err error) {
	header, err := c.csv(ctx, historyPath+"?"+filters.Encode(), out)
	return header.Get("Link") != "", err
}

// csv copies a table as it comes. What breaks off fails, and the lines before that were written.
func (c *Client) csv(ctx context.Context, path string, out io.Writer) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	response, err := c.open(ctx, path, "text/csv", http.Header{})
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
