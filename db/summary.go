package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// SummaryFilter says which jobs to sum up. What is nil is not asked for; the fields are those of JobFilter.
type SummaryFilter struct {
	Mode     *transfer.Mode
	Strategy *transfer.Strategy
	Portal   *string
	Since    *time.Time
	Until    *time.Time
}

// SummaryGroup is what is known of the jobs that have strategy, mode and portals in common. Files, bytes and seconds are those
// of the jobs that succeeded.
type SummaryGroup struct {
	Strategy                    *transfer.Strategy // nil: never decided
	Mode                        transfer.Mode
	SourcePortal                *string // the name when the jobs were submitted; nil: the path is the worker's own
	DestinationPortal           *string
	Succeeded, Failed           int64
	Cancelled, Unfinished       int64
	Files, Bytes                int64
	Seconds                     float64  // of all runs
	MedianSeconds, P95Seconds   *float64 // nil without a job that succeeded
	MBPerSecond, FilesPerSecond *float64 // all of them, 10⁶ bytes or files, over all seconds
	Failures                    map[failure.Code]int64
}

// Jobs is how many there are.
func (g SummaryGroup) Jobs() int64 { return g.Succeeded + g.Failed + g.Cancelled + g.Unfinished }

// Summary sums jobs up, those groups with most jobs first. All of it is counted at one moment, from the jobs themselves.
func (q *Queries) Summary(ctx context.Context, filter SummaryFilter) ([]SummaryGroup, error) {
	ids, err := q.idsOf(ctx, filter.Since, filter.Until)
	if err != nil {
		return nil, err
	}
	routes, err := q.RoutesOf(ctx, RoutesOfParams{Mode: (*string)(filter.Mode), Portal: filter.Portal})
	if err != nil {
		return nil, err
	}
	rows, err := q.Summarise(ctx, SummariseParams{
		Routes: routes, Strategies: strategies(filter.Strategy),
		Lowest: ids.Lowest, Highest: ids.Highest, Since: filter.Since, Until: filter.Until,
	})
	if err != nil {
		return nil, err
	}
	groups := make([]SummaryGroup, len(rows))
	for i, row := range rows {
		if groups[i], err = groupOf(row); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func groupOf(row SummariseRow) (SummaryGroup, error) {
	group := SummaryGroup{
		Mode: transfer.Mode(row.Mode), SourcePortal: row.SourcePortalName, DestinationPortal: row.DestinationPortalName,
		Succeeded: row.Succeeded, Failed: row.Failed, Cancelled: row.Cancelled, Unfinished: row.Unfinished,
		Files: row.Files, Bytes: row.Bytes, Seconds: row.Seconds,
	}
	if strategy := transfer.Strategy(row.Strategy); strategy != undecided {
		group.Strategy = &strategy
	}
	if len(row.Percentiles) == 2 {
		group.MedianSeconds, group.P95Seconds = &row.Percentiles[0], &row.Percentiles[1]
	}
	if row.Seconds > 0 {
		group.MBPerSecond = new(float64(row.Bytes) / 1e6 / row.Seconds)
		group.FilesPerSecond = new(float64(row.Files) / row.Seconds)
	}
	if err := json.Unmarshal(row.Failures, &group.Failures); err != nil {
		return group, fmt.Errorf("reading the failures of a summary: %w", err)
	}
	return group, nil
}
