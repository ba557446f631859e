package db

import (
	"context"
	"time"
)

// Server is what a database server says of itself.
type Server struct {
	Version       string // as "15.18"
	VersionNumber int    // as 150018
	Connections   int    // that it grants to ordinary users
	Connected     int
}

// Server asks the server. It counts by pg_stat_database, which shows every role's connections; pg_stat_activity hides other
// roles' from who is no superuser. (By hand: sqlc doesn't know these views.)
func (s *Store) Server(ctx context.Context) (server Server, err error) {
	const query = `SELECT current_setting('server_version'), current_setting('server_version_num')::integer,
		current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
		(SELECT sum(numbackends) FROM pg_stat_database)`
	err = s.pool.QueryRow(ctx, query).Scan(&server.Version, &server.VersionNumber, &server.Connections, &server.Connected)
	return server, err
}

// Clock is the database's time at the moment of asking.
func (s *Store) Clock(ctx context.Context) (time.Time, error) { return New(s.pool).Clock(ctx) }

// WaitingQueues are the queues that jobs wait in, by name.
func (s *Store) WaitingQueues(ctx context.Context) ([]WaitingQueuesRow, error) {
	return New(s.pool).WaitingQueues(ctx)
}

// SilentRuns are runs whose workers have not answered for longer than their leases last, the longest silent first.
func (s *Store) SilentRuns(ctx context.Context) ([]SilentRunsRow, error) {
	return New(s.pool).SilentRuns(ctx)
}
