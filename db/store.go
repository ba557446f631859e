package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotFound is returned where a job or a portal does not exist.
var ErrNotFound = errors.New("not found")

// ErrRunLost is returned to a run whose token no longer holds: another worker has the job, or it ended. Nothing was
// written.
var ErrRunLost = errors.New("the run no longer owns its job")

// Store is a pool of connections to the database.
type Store struct {
	pool *pgxpool.Pool
}

// Open makes a pool of at most maxConns connections. It does not need the database to be up; see Ping.
func Open(ctx context.Context, url string, maxConns int32) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's message quotes the URL, password included.
		return nil, errors.New("DB_URL is not a PostgreSQL URL; it looks like postgres://user:password@host:5432/database")
	}
	config.MaxConns = max(maxConns, config.MaxConns)
	// All queries are short. Where the planner thinks one long, compiling it takes a hundred times as long as running it.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	config.ConnConfig.RuntimeParams["application_name"] = "ketter"
	for name, value := range silenceParams() {
		config.ConnConfig.RuntimeParams[name] = value
	}
	config.ConnConfig.DialFunc = dialer().DialContext
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTime
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Close waits for connections in use and closes the pool.
func (s *Store) Close() { s.pool.Close() }

// Pool is the pool itself, for River.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Installation is the id that was made with the database.
func (s *Store) Installation(ctx context.Context) (string, error) {
	return New(s.pool).Installation(ctx)
}

// Jobs lists jobs, newest first.
func (s *Store) Jobs(ctx context.Context, filter JobFilter) ([]Job, error) {
	return New(s.pool).Jobs(ctx, filter)
}

// Summary sums jobs up, those groups with most jobs first.
func (s *Store) Summary(ctx context.Context, filter SummaryFilter) ([]SummaryGroup, error) {
	return New(s.pool).Summary(ctx, filter)
}

// Estimate tells from the latest jobs how long a transfer would run.
func (s *Store) Estimate(ctx context.Context, of EstimateOf) (Estimate, error) {
	return New(s.pool).Estimate(ctx, of)
}

// InTx runs fn in a transaction, committed when fn returns nil.
func (s *Store) InTx(ctx context.Context, fn func(tx pgx.Tx, q *Queries) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return fn(tx, New(tx)) })
}

// InRun runs fn in a transaction that holds the job's row lock and has seen that the run still owns the job; if it does
// not, ErrRunLost. job is the row as it is then.
func (s *Store) InRun(ctx context.Context, jobID int64, token string, fn func(tx pgx.Tx, q *Queries, job Job) error) error {
	return s.InTx(ctx, func(tx pgx.Tx, q *Queries) error {
		job, err := q.LockJob(ctx, jobID)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrRunLost
		}
		if err != nil {
			return err
		}
		// A statement of its own: it must see what was committed while the lock was waited for.
		current, err := q.RunIsCurrent(ctx, RunIsCurrentParams{JobID: jobID, RunToken: token})
		if err != nil {
			return err
		}
		if !current {
			return ErrRunLost
		}
		return fn(tx, q, job)
	})
}

// RenewRuns extends the leases of runs and records their progress. It returns, by token, those that still own their jobs.
func (s *Store) RenewRuns(ctx context.Context, renewal RenewRunsParams) (map[string]RenewRunsRow, error) {
	rows, err := New(s.pool).RenewRuns(ctx, renewal)
	if err != nil {
		return nil, err
	}
	owning := make(map[string]RenewRunsRow, len(rows))
	for _, row := range rows {
		owning[row.RunToken] = row
	}
	return owning, nil
}

// ExpiredRuns are runs of whose workers nothing was heard for longer than their leases last.
func (s *Store) ExpiredRuns(ctx context.Context) ([]ExpiredRunsRow, error) {
	return New(s.pool).ExpiredRuns(ctx)
}

// TakeTurn reports whether the caller is the one worker that may compare jobs with River's, once per interval.
func (s *Store) TakeTurn(ctx context.Context, interval time.Duration) (bool, error) {
	rows, err := New(s.pool).TakeTurn(ctx, interval)
	return rows == 1, err
}

// UnsweptJobs are ended jobs that may have left a staging folder.
func (s *Store) UnsweptJobs(ctx context.Context, which UnsweptJobsParams) ([]UnsweptJobsRow, error) {
	return New(s.pool).UnsweptJobs(ctx, which)
}

// Swept records that a job has left nothing.
func (s *Store) Swept(ctx context.Context, jobID int64) error { return New(s.pool).Swept(ctx, jobID) }

// DeleteOldJobs deletes jobs that ended longer ago, with their events, and returns how many.
func (s *Store) DeleteOldJobs(ctx context.Context, which DeleteOldJobsParams) (int64, error) {
	return New(s.pool).DeleteOldJobs(ctx, which)
}

// DeleteOldEvents deletes the events of jobs that ended longer ago, those of some jobs at a time, and returns 0 once there
// were no more.
func (s *Store) DeleteOldEvents(ctx context.Context, which DeleteOldEventsParams) (int64, error) {
	return New(s.pool).DeleteOldEvents(ctx, which)
}

// DeleteOldKeys deletes idempotency keys that were set longer ago.
func (s *Store) DeleteOldKeys(ctx context.Context, olderThan time.Duration) error {
	_, err := New(s.pool).DeleteOldKeys(ctx, olderThan)
	return err
}

// Unreachable reports whether err says that the database could not be reached or was going down, so that the same may
// succeed a moment later. A transaction it ended may have been committed all the same.
func Unreachable(err error) bool {
	var connecting *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) {
		return true
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return false
	}
	// https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exception, the server's
	// shutdowns, and the end of a transaction that was idle for too long.
	return strings.HasPrefix(said.Code, "08") || slices.Contains([]string{"57P01", "57P02", "57P03", "25P03"}, said.Code)
}
