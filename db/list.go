package db

import (
	"context"
	"math"

	"github.com/ketter/ketter/engine/transfer"
)

// JobFilter says which jobs to list. What is nil is not asked for.
type JobFilter struct {
	Status   *transfer.Status
	Mode     *transfer.Mode
	Strategy *transfer.Strategy // the one decided
	Before   *int64             // only jobs with a lower id: the last of the page before
	Limit    int32
}

// undecided stands for the strategy of a job that has none yet.
const undecided transfer.Strategy = ""

// Jobs lists jobs, newest first.
func (q *Queries) Jobs(ctx context.Context, filter JobFilter) ([]Job, error) {
	before := int64(math.MaxInt64)
	if filter.Before != nil {
		before = *filter.Before
	}
	if filter.Status == nil && filter.Mode == nil && filter.Strategy == nil {
		return q.ListJobs(ctx, ListJobsParams{Before: before, RowLimit: filter.Limit})
	}
	return q.ListJobsOf(ctx, ListJobsOfParams{
		Statuses:   chosen(filter.Status, transfer.Statuses()...),
		Modes:      chosen(filter.Mode, transfer.Copy, transfer.Move),
		Strategies: chosen(filter.Strategy, transfer.Direct, transfer.ZipFirst, undecided),
		Before:     before,
		RowLimit:   filter.Limit,
	})
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
