package db

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Resealed is what came of sealing all credentials anew.
type Resealed struct {
	Renewed, Current int      // encrypted anew; found encrypted with the first key
	Unreadable       []string // portals whose credential none of the keys opens; they stay as they are
	Changed          []string // portals that somebody has changed meanwhile; they stay as that left them
}

// ResealCredentials encrypts every portal's credential anew, in one transaction. reseal returns nil for one that needs none; its
// error means that the credential can't be read.
func (s *Store) ResealCredentials(ctx context.Context, reseal func(id int64, sealed []byte) ([]byte, error)) (done Resealed, err error) {
	err = s.InTx(ctx, func(_ pgx.Tx, q *Queries) error {
		done = Resealed{}
		rows, err := q.SealedCredentials(ctx)
		for _, row := range rows {
			if err := done.one(ctx, q, row, reseal); err != nil {
				return err
			}
		}
		return err
	})
	slices.Sort(done.Unreadable)
	slices.Sort(done.Changed)
	return done, err
}

func (r *Resealed) one(ctx context.Context, q *Queries, row SealedCredentialsRow, reseal func(int64, []byte) ([]byte, error)) error {
	resealed, err := reseal(row.ID, row.Credential)
	switch {
	case err != nil:
		r.Unreadable = append(r.Unreadable, row.Name)
		return nil
	case resealed == nil:
		r.Current++
		return nil
	}
	rows, err := q.ResealCredential(ctx, ResealCredentialParams{ID: row.ID, Resealed: resealed, Sealed: row.Credential})
	if err == nil && rows == 0 {
		r.Changed = append(r.Changed, row.Name)
	} else if err == nil {
		r.Renewed++
	}
	return err
}
