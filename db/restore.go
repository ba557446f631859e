package db

import "context"

// idGap is more than any installation gives out between a backup and the loss of its database.
const idGap = 1_000_000

// SkipIDs makes sure that a database which was restored from a backup gives no number to a job or a portal that it had given,
// after that backup, to another one: whoever was told such a number would take the new one for his own, and so would a run
// that finds a staging folder with it. It returns the first numbers that new ones get. Doing it twice skips twice.
func (s *Store) SkipIDs(ctx context.Context) (firstJob, firstPortal int64, err error) {
	last, err := New(s.pool).SkipIDs(ctx, idGap)
	return last.Jobs + 1, last.Portals + 1, err
}
