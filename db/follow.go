package db

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// Followed is a job as of one moment.
type Followed struct {
	Job      Job
	Progress *RunProgress // nil unless the job is running
	Events   []JobEvent   // those that were asked for, in order of seq
	More     bool         // there are events after these
}

// RunProgress is how far a run is, as it said at UpdatedAt.
type RunProgress struct {
	Worker         string
	Phase          string // empty until the run has said for the first time
	FilesDone      int64
	FilesTotal     int64 // 0 while not known
	BytesDone      int64
	BytesTotal     int64   // 0 while not known
	BytesPerSecond float64 // of the phase
	SecondsLeft    float64 // of the run; 0 while not known
	UpdatedAt      time.Time
}

// JobWithProgress returns a job without its events, or ErrNotFound.
func (s *Store) JobWithProgress(ctx context.Context, id int64) (Followed, error) {
	row, err := New(s.pool).GetJobWithProgress(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Followed{}, fmt.Errorf("job %d: %w", id, ErrNotFound)
	}
	return Followed{Job: row.Job, Progress: row.progress()}, err
}

// AllEvents is as many as Follow can return: a job has a few dozen.
const AllEvents = math.MaxInt32

// Follow returns a job and those of its events that come after a seq, at most so many of them. It needs no transaction to be
// of one moment: events are numbered under the job's lock and never change, so those up to the seq that the job's row
// tells are the same at any time after.
func (s *Store) Follow(ctx context.Context, id, after int64, most int32) (Followed, error) {
	f, err := s.JobWithProgress(ctx, id)
	if err != nil || f.Job.EventSeq <= after {
		return f, err
	}
	f.Events, err = New(s.pool).ListEventsBetween(ctx, ListEventsBetweenParams{
		JobID: id, After: after, UpTo: f.Job.EventSeq, RowLimit: most,
	})
	if last := len(f.Events) - 1; last+1 == int(most) {
		f.More = f.Events[last].Seq < f.Job.EventSeq
	}
	return f, err
}

func (r GetJobWithProgressRow) progress() *RunProgress {
	if r.Worker == nil { // no run: the join brought nothing
		return nil
	}
	return &RunProgress{
		Worker: *r.Worker, Phase: *r.Phase, FilesDone: *r.FilesDone, FilesTotal: *r.FilesTotal,
		BytesDone: *r.BytesDone, BytesTotal: *r.BytesTotal, BytesPerSecond: *r.BytesPerSecond,
		SecondsLeft: *r.SecondsLeft, UpdatedAt: *r.RenewedAt,
	}
}
