package db

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// idGap is left out where the numbers are past the clock already: one that was set back.
const idGap = 1_000_000

// SkipIDs makes sure that a database which was restored from a backup gives no number to a job or a portal that it had given,
// after that backup, to another one: whoever was told such a number would take the new one for his own, and so would a run
// that finds a staging folder with it. It returns the first numbers that new ones get.
//
// They go on from the milliseconds since 1970 by the database's clock, and not from what the backup has: the same backup may be
// restored twice, with jobs in between. A JavaScript client, which knows no whole number past 2^53, can read them.
func (s *Store) SkipIDs(ctx context.Context) (firstJob, firstPortal int64, err error) {
	last, err := New(s.pool).SkipIDs(ctx, idGap)
	return last.Jobs + 1, last.Portals + 1, err
}

// OtherSessions names the programs that are connected to the database beside this one, once for each connection. Whoever asks
// must have used the Store for one thing at a time: a second connection of its own would count. PostgreSQL's own processes
// have no user; of other users' sessions an ordinary one is told no more than is asked for here.
func (s *Store) OtherSessions(ctx context.Context) ([]string, error) {
	rows, _ := s.pool.Query(ctx, `SELECT coalesce(nullif(application_name, ''), 'a program without a name') FROM pg_stat_activity
		WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY 1`) // CollectRows has the error too
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Place says which database this is, for a person to recognise it, without user or password.
func (s *Store) Place() string {
	c := s.pool.Config().ConnConfig
	return fmt.Sprintf("%s on %s", c.Database, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
}
