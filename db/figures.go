package db

import "context"

// LiveJobs counts the jobs that wait or run, by status and strategy; the strategy is empty until it is decided.
func (s *Store) LiveJobs(ctx context.Context) ([]LiveJobsRow, error) {
	return New(s.pool).LiveJobs(ctx)
}

// EndedJobs counts the jobs that have ended, by status and strategy. It takes the longer the more there are: see
// docs/scale.md.
func (s *Store) EndedJobs(ctx context.Context) ([]EndedJobsRow, error) {
	return New(s.pool).EndedJobs(ctx)
}

// QueueDepths are the queues that jobs wait in, at most so many of them, the named ones before others; the empty name stands
// for all the rest.
func (s *Store) QueueDepths(ctx context.Context, which QueueDepthsParams) ([]QueueDepthsRow, error) {
	return New(s.pool).QueueDepths(ctx, which)
}

// RunFigures are those of all runs together.
func (s *Store) RunFigures(ctx context.Context) (RunFiguresRow, error) {
	return New(s.pool).RunFigures(ctx)
}
