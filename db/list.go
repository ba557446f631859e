package db

import (
	"context"
	"math"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// JobFilter says which jobs to list. What is nil is not asked for.
type JobFilter struct {
	Status   *transfer.Status
	Mode     *transfer.Mode
	Strategy *transfer.Strategy // the one decided
	Code     *failure.Code      // of jobs that failed
	Portal   *string            // of either side: a name as it was when the job was submitted, or an id in digits
	Since    *time.Time         // submitted then or later
	Until    *time.Time         // submitted before
	Before   *int64             // only jobs with a lower id: the last of the page before
	Limit    int32
}

// undecided stands for the strategy of a job that has none yet.
const undecided transfer.Strategy = ""

// Jobs lists jobs, newest first.
func (q *Queries) Jobs(ctx context.Context, filter JobFilter) ([]Job, error) {
	page, err := q.pageOf(ctx, filter)
	switch {
	case err != nil || page.Before <= page.Lowest:
		return nil, err
	case filter.Code != nil || filter.Portal != nil:
		return q.jobsOfRoutes(ctx, filter, page)
	case filter.Status == nil && filter.Mode == nil && filter.Strategy == nil:
		return q.ListJobs(ctx, page)
	}
	return q.ListJobsOf(ctx, ListJobsOfParams{
		Statuses: statuses(filter), Modes: chosen(filter.Mode, transfer.Copy, transfer.Move), Strategies: strategies(filter.Strategy),
		Before: page.Before, Lowest: page.Lowest, Since: page.Since, Until: page.Until, RowLimit: page.RowLimit,
	})
}

// pageOf is what all lists have in common: how many, of which ids, of which time.
func (q *Queries) pageOf(ctx context.Context, filter JobFilter) (ListJobsParams, error) {
	page := ListJobsParams{Before: math.MaxInt64, Since: filter.Since, Until: filter.Until, RowLimit: filter.Limit}
	if filter.Before != nil {
		page.Before = *filter.Before
	}
	ids, err := q.idsOf(ctx, filter.Since, filter.Until)
	page.Before, page.Lowest = min(page.Before, ids.Highest+1), ids.Lowest
	return page, err
}

// idsOf is what a time says about ids.
func (q *Queries) idsOf(ctx context.Context, since, until *time.Time) (IDsOfRow, error) {
	if since == nil && until == nil {
		return IDsOfRow{Lowest: 1, Highest: math.MaxInt64 - 1}, nil
	}
	return q.IDsOf(ctx, IDsOfParams{Since: since, Until: until})
}

// jobsOfRoutes lists jobs by what their routes have in common: a portal, or nothing where a code is asked for.
func (q *Queries) jobsOfRoutes(ctx context.Context, filter JobFilter, page ListJobsParams) ([]Job, error) {
	// Routes that come to be meanwhile have newer jobs alone.
	routes, err := q.RoutesOf(ctx, RoutesOfParams{Mode: (*string)(filter.Mode), Portal: filter.Portal})
	if err != nil || len(routes) == 0 {
		return nil, err
	}
	newest, err := q.NewestID(ctx)
	if err != nil {
		return nil, err
	}
	page.Before = min(page.Before, newest+1)
	return widening(page.Before, page.Lowest, page.RowLimit, func(lowest int64) ([]Job, error) {
		page.Lowest = lowest
		return q.jobsAmong(ctx, routes, filter, page)
	})
}

// widening looks for some of the newest rows before an id, down to a lowest one: first among 16 ids for each row that is wanted, then
// among 256, then among all. Many ranges of an index may fit, each of which would give as many rows as are wanted, or the planner
// may think it cheaper to sort them all. So there is less to read: what is common is found among a few ids, and of what
// isn't found there, there is little.
func widening[T any](before, lowest int64, wanted int32, look func(lowest int64) ([]T, error)) ([]T, error) {
	for _, window := range []int64{16, 256} {
		from := before - window*int64(wanted)
		if from <= lowest {
			break
		}
		if found, err := look(from); err != nil || len(found) >= int(wanted) {
			return found, err
		}
	}
	return look(lowest)
}

// jobsAmong lists jobs of some routes.
func (q *Queries) jobsAmong(ctx context.Context, routes []int64, filter JobFilter, page ListJobsParams) ([]Job, error) {
	if filter.Code == nil {
		return q.ListJobsOfRoutes(ctx, ListJobsOfRoutesParams{
			Routes: routes, Statuses: statuses(filter), Strategies: strategies(filter.Strategy),
			Before: page.Before, Lowest: page.Lowest, Since: page.Since, Until: page.Until, RowLimit: page.RowLimit,
		})
	}
	if filter.Status != nil && *filter.Status != transfer.Failed {
		return nil, nil // no other has a code
	}
	return q.ListJobsOfCode(ctx, ListJobsOfCodeParams{
		Routes: routes, Code: string(*filter.Code), Strategies: strategies(filter.Strategy),
		Before: page.Before, Lowest: page.Lowest, Since: page.Since, Until: page.Until, RowLimit: page.RowLimit,
	})
}

func statuses(filter JobFilter) []string { return chosen(filter.Status, transfer.Statuses()...) }

func strategies(one *transfer.Strategy) []string {
	return chosen(one, transfer.Direct, transfer.ZipFirst, undecided)
}

// chosen is the one that is asked for, or all.
func chosen[T ~string](one *T, all ...T) []string {
	if one != nil {
		all = []T{*one}
	}
	words := make([]string, len(all))
	for i, each := range all {
		words[i] = string(each)
	}
	return words
}
