package riverjobs

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
)

// Leader is the client that River has elected: it wakes jobs whose time to be tried again has come, and clears away what
// has ended. Empty: there is none at the moment.
func Leader(ctx context.Context, store *db.Store) (id string, err error) {
	err = store.Pool().QueryRow(ctx, "SELECT leader_id FROM river_leader WHERE expires_at > now() LIMIT 1").Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}
