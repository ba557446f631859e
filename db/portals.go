package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPortalExists is returned where another portal has the name.
var ErrPortalExists = errors.New("a portal of this name exists already")

// PortalInUse is the error of what may not be done to a portal while jobs that have not ended use it.
type PortalInUse struct {
	Jobs     int64
	FirstIDs []int64 // of those jobs, some
}

func (e *PortalInUse) Error() string {
	return fmt.Sprintf("%d jobs that have not ended use the portal", e.Jobs)
}

// Portal returns a portal, or ErrNotFound.
func (s *Store) Portal(ctx context.Context, id int64) (Portal, error) {
	portal, err := New(s.pool).GetPortal(ctx, id)
	return portal, orNotFound(err)
}

// PortalNamed returns a portal by its name, or ErrNotFound.
func (s *Store) PortalNamed(ctx context.Context, name string) (Portal, error) {
	portal, err := New(s.pool).GetPortalByName(ctx, name)
	return portal, orNotFound(err)
}

// Portals are all of them, by name.
func (s *Store) Portals(ctx context.Context) ([]Portal, error) { return New(s.pool).ListPortals(ctx) }

// CreatePortal records a portal. finish is given it with its id, and returns it as it shall be: a credential is encrypted
// for an id.
func (s *Store) CreatePortal(ctx context.Context, portal Portal, finish func(Portal) (Portal, error)) (created Portal, err error) {
	err = s.InTx(ctx, func(_ pgx.Tx, q *Queries) error {
		id, err := q.InsertPortal(ctx, insertOf(portal))
		if err != nil {
			return err
		}
		portal.ID = id
		finished, err := finish(portal)
		if err != nil {
			return err
		}
		created, err = q.UpdatePortal(ctx, updateOf(finished))
		return err
	})
	return created, orExists(err)
}

// ChangePortal replaces a portal by what change makes of it. While jobs that have not ended use it, its place must stay: a run
// that resumes looks for what the one before has left.
func (s *Store) ChangePortal(ctx context.Context, id int64, change func(Portal) (Portal, error)) (changed Portal, err error) {
	err = s.InTx(ctx, func(_ pgx.Tx, q *Queries) error {
		old, err := q.LockPortalToChange(ctx, id)
		if err != nil {
			return orNotFound(err)
		}
		replacement, err := change(old)
		if err != nil {
			return err
		}
		if !samePlace(old, replacement) {
			if err := unused(ctx, q, id); err != nil {
				return err
			}
		}
		changed, err = q.UpdatePortal(ctx, updateOf(replacement))
		return err
	})
	return changed, orExists(err)
}

// DeletePortal deletes a portal that no job uses which has not ended. The others keep its name.
func (s *Store) DeletePortal(ctx context.Context, id int64) error {
	return s.InTx(ctx, func(_ pgx.Tx, q *Queries) error {
		if _, err := q.LockPortalToChange(ctx, id); err != nil {
			return orNotFound(err)
		}
		if err := unused(ctx, q, id); err != nil {
			return err
		}
		return q.DeletePortal(ctx, id)
	})
}

// HoldPortals returns portals by their ids, and keeps them as they are until the transaction ends. One that is missing is
// not among them. It comes before the lock of a job's row.
func (q *Queries) HoldPortals(ctx context.Context, ids ...*int64) (map[int64]Portal, error) {
	var wanted []int64
	for _, id := range ids {
		if id != nil {
			wanted = append(wanted, *id)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	rows, err := q.LockPortals(ctx, wanted)
	held := make(map[int64]Portal, len(rows))
	for _, portal := range rows {
		held[portal.ID] = portal
	}
	return held, err
}

// unused fails with PortalInUse. The portal is locked, so that no job begins to use it meanwhile; this statement sees all that
// did before.
func unused(ctx context.Context, q *Queries, id int64) error {
	using, err := q.UnfinishedOfPortal(ctx, &id)
	if err != nil || using.Jobs == 0 {
		return err
	}
	return &PortalInUse{Jobs: using.Jobs, FirstIDs: using.FirstIds}
}

// samePlace reports whether both are the same folder, seen by the same user.
func samePlace(a, b Portal) bool {
	return a.Kind == b.Kind && a.RootPath == b.RootPath && same(a.Host, b.Host) && same(a.Port, b.Port) &&
		same(a.Username, b.Username) && same(a.WorkerLabel, b.WorkerLabel)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func insertOf(p Portal) InsertPortalParams {
	return InsertPortalParams{
		Name: p.Name, Kind: p.Kind, RootPath: p.RootPath, Host: p.Host, Port: p.Port, Username: p.Username, HostKey: p.HostKey,
		WorkerLabel: p.WorkerLabel, ZipThresholdFiles: p.ZipThresholdFiles, ZipThresholdAvgSizeBytes: p.ZipThresholdAvgSizeBytes,
		MaxConnections: p.MaxConnections, AgentPath: p.AgentPath, SendAgent: p.SendAgent,
	}
}

func updateOf(p Portal) UpdatePortalParams {
	return UpdatePortalParams{
		ID: p.ID, Name: p.Name, Kind: p.Kind, RootPath: p.RootPath, Host: p.Host, Port: p.Port, Username: p.Username,
		HostKey: p.HostKey, WorkerLabel: p.WorkerLabel, ZipThresholdFiles: p.ZipThresholdFiles,
		ZipThresholdAvgSizeBytes: p.ZipThresholdAvgSizeBytes, MaxConnections: p.MaxConnections, AgentPath: p.AgentPath,
		SendAgent: p.SendAgent, Credential: p.Credential, CredentialKind: p.CredentialKind,
	}
}

func orNotFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("portal: %w", ErrNotFound)
	}
	return err
}

func orExists(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) && said.ConstraintName == "portals_name_key" {
		return ErrPortalExists
	}
	return err
}
