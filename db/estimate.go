package db

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/ketter/ketter/engine/transfer"
)

// EstimateOf is a transfer that somebody may want to make.
type EstimateOf struct {
	Mode              transfer.Mode
	Strategy          transfer.Strategy // DIRECT or ZIP_FIRST
	Renames           bool              // its method is rename, which takes no time for any byte
	SourcePortal      *int64            // nil: a path of the worker's own
	DestinationPortal *int64
	Files, Bytes      int64
}

// Estimate is how long a transfer may take, and how many jobs that rests on. Without any job, Seconds says nothing.
type Estimate struct {
	Seconds float64
	Jobs    int
}

const (
	lookedAt = 200 // jobs, the newest
	similar  = 20  // of these an estimate rests on at most
)

// Estimate tells from the latest jobs of the same portals, strategy and, if there are such, mode, how long a transfer would run.
//
// Of these the most similar in size are taken: each says how long it took, times how much larger the transfer is, by files or by
// bytes, whichever says more. The median of what they say is the estimate: too long rather than too short where sizes differ
// much, and close where they don't.
func (q *Queries) Estimate(ctx context.Context, of EstimateOf) (Estimate, error) {
	newest, err := q.NewestID(ctx)
	if err != nil {
		return Estimate{}, err
	}
	latest := LatestBetweenParams{
		Strategy: string(of.Strategy), SourcePortal: of.SourcePortal, DestinationPortal: of.DestinationPortal, RowLimit: lookedAt,
	}
	for _, mode := range []*string{new(string(of.Mode)), nil} {
		latest.Mode = mode
		rows, err := widening(newest+1, 1, lookedAt, func(lowest int64) ([]LatestBetweenRow, error) {
			latest.Lowest = lowest
			return q.LatestBetween(ctx, latest)
		})
		if err != nil {
			return Estimate{}, err
		}
		if estimate := estimate(of, rows); estimate.Jobs > 0 {
			return estimate, nil
		}
	}
	return Estimate{}, nil
}

func estimate(of EstimateOf, rows []LatestBetweenRow) Estimate {
	rows = slices.DeleteFunc(rows, func(row LatestBetweenRow) bool {
		return (row.Method != nil && *row.Method == transfer.Rename) != of.Renames
	})
	if len(rows) == 0 {
		return Estimate{}
	}
	slices.SortStableFunc(rows, func(a, b LatestBetweenRow) int { return cmp.Compare(distance(of, a), distance(of, b)) })
	rows = rows[:min(len(rows), similar)]
	said := make([]float64, len(rows))
	for i, row := range rows {
		said[i] = row.Seconds
		if !of.Renames {
			said[i] *= max(ratio(of.Files, row.Files), ratio(of.Bytes, row.Bytes))
		}
	}
	return Estimate{Seconds: median(said), Jobs: len(said)}
}

// distance is 0 for the same size, and grows with each time that files or bytes are a multiple, or a fraction.
func distance(of EstimateOf, row LatestBetweenRow) float64 {
	return math.Abs(math.Log(ratio(of.Files, row.Files))) + math.Abs(math.Log(ratio(of.Bytes, row.Bytes)))
}

// ratio is of two sizes, neither of which counts as nothing: an empty file takes its time too.
func ratio(a, b int64) float64 { return (float64(a) + 1) / (float64(b) + 1) }

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
