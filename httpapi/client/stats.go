package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

const (
	summaryPath = "/stats/summary"
	historyPath = "/stats/jobs-history"
)

// Summary counts the jobs that were submitted from Since until Until, in groups.
type Summary struct {
	Since  *time.Time     `json:"since"`
	Until  *time.Time     `json:"until"`
	Groups []SummaryGroup `json:"groups"`
}

// SummaryGroup counts the jobs of one strategy, mode and pair of portals. Durations and rates are those of jobs that succeeded.
type SummaryGroup struct {
	Strategy              *transfer.Strategy `json:"strategy"` // nil: never decided
	Mode                  transfer.Mode      `json:"mode"`
	SourcePortal          *string            `json:"source_portal"`
	DestinationPortal     *string            `json:"destination_portal"`
	Jobs                  int64              `json:"jobs"`
	Succeeded             int64              `json:"succeeded"`
	Failed                int64              `json:"failed"`
	Cancelled             int64              `json:"cancelled"`
	Unfinished            int64              `json:"unfinished"`
	Files                 int64              `json:"files"`
	Bytes                 int64              `json:"bytes"`
	DurationMedianSeconds *float64           `json:"duration_median_seconds"`
	DurationP95Seconds    *float64           `json:"duration_p95_seconds"`
	MBPerSecond           *float64           `json:"mb_per_second"`
	FilesPerSecond        *float64           `json:"files_per_second"`
	Failures              map[string]int     `json:"failures"` // by code
}

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
