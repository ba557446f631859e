package riverjobs

import (
	"context"
	"fmt"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

// CredentialOpener decrypts a portal's credential. One that can't be decrypted is failure.PortalAuthFailed.
type CredentialOpener func(portal db.Portal) (remote.Credential, error)

// holdSides returns the portals of a job, which stay as they are until the transaction ends. It comes before the lock of the
// job's row. One that is gone is failure.PortalNotFound.
func holdSides(ctx context.Context, q *db.Queries, source, destination *int64) (s sides, err error) {
	held, err := q.HoldPortals(ctx, source, destination)
	if err != nil {
		return s, err
	}
	if s.source, err = heldPortal(held, source, "source"); err != nil {
		return s, err
	}
	s.destination, err = heldPortal(held, destination, "destination")
	return s, err
}

func heldPortal(held map[int64]db.Portal, id *int64, side string) (*db.Portal, error) {
	if id == nil {
		return nil, nil
	}
	portal, found := held[*id]
	if !found {
		return nil, failure.New(failure.PortalNotFound, "", fmt.Sprintf("The %s portal (%d) does not exist any more", side, *id))
	}
	return &portal, nil
}

// check refuses what the engine would not run: all of a portal has no name to arrive under.
func (s sides) check(spec transfer.Spec) error {
	if s.source != nil && spec.Source == "/" {
		return failure.New(failure.InvalidRequest, "",
			fmt.Sprintf("The whole of portal %s has no name to arrive under; name a folder or a file in it", s.source.Name))
	}
	return nil
}

// arrives is where the source arrives, as the sides call it.
func (s sides) arrives(spec transfer.Spec) string { return on(s.destination, spec.FinalPath()) }

// on is a path as people write it: "SRVTRF:/sessions/042", or as it is where there is no portal.
func on(portal *db.Portal, p string) string {
	if portal == nil {
		return p
	}
	return portal.Name + ":" + p
}

func nameOf(portal *db.Portal) *string {
	if portal == nil {
		return nil
	}
	return &portal.Name
}

// idOf is nil for 0, which stands for no portal.
func idOf(portal int64) *int64 {
	if portal == 0 {
		return nil
	}
	return &portal
}

func orZero(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}
