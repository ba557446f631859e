package httpapi

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

// Portals reads and changes portals. One that doesn't exist is db.ErrNotFound, a name that another has is
// db.ErrPortalExists, and what jobs that have not ended forbid is db.PortalInUse.
type Portals interface {
	Portals(ctx context.Context) ([]db.Portal, error)
	Portal(ctx context.Context, id int64) (db.Portal, error)
	PortalNamed(ctx context.Context, name string) (db.Portal, error)
	CreatePortal(ctx context.Context, portal db.Portal, finish func(db.Portal) (db.Portal, error)) (db.Portal, error)
	ChangePortal(ctx context.Context, id int64, change func(db.Portal) (db.Portal, error)) (db.Portal, error)
	DeletePortal(ctx context.Context, id int64) error
}

// Credentials encrypts what portals' users prove themselves with. Nothing here ever decrypts it.
type Credentials interface {
	// Seal is failure.InvalidRequest where there is no key to encrypt with.
	Seal(portal int64, credential remote.Credential) ([]byte, error)
	// Readable reports whether the key is there that a portal's credential was encrypted with.
	Readable(portal db.Portal) bool
}

// CreatePortal adds a portal.
func (a *api) CreatePortal(ctx context.Context, r CreatePortalRequestObject) (CreatePortalResponseObject, error) {
	asked, err := parsePortal(*r.Body)
	if err != nil {
		return nil, err
	}
	defer within(request(ctx), workDeadline)()
	created, err := a.Portals.CreatePortal(ctx, asked.portal, func(p db.Portal) (db.Portal, error) {
		return a.seal(p, asked.credential)
	})
	return CreatePortal201JSONResponse{
		Body: a.viewPortal(created), Headers: CreatePortal201ResponseHeaders{Location: fmt.Sprintf("/portals/%d", created.ID)},
	}, portalError(asked.portal.Name, err)
}

// seal gives a portal the credential that was asked for.
func (a *api) seal(p db.Portal, asked credentialRequest) (db.Portal, error) {
	p.Credential, p.CredentialKind = nil, asked.kind
	if !asked.secret() {
		return p, nil
	}
	sealed, err := a.Credentials.Seal(p.ID, asked.credential)
	p.Credential = sealed
	return p, err
}

// ListPortals answers with all of them.
func (a *api) ListPortals(ctx context.Context, _ ListPortalsRequestObject) (ListPortalsResponseObject, error) {
	portals, err := a.Portals.Portals(ctx)
	views := make([]Portal, len(portals))
	for i, portal := range portals {
		views[i] = a.viewPortal(portal)
	}
	return ListPortals200JSONResponse{Portals: views}, err
}

// GetPortal answers with a portal.
func (a *api) GetPortal(ctx context.Context, r GetPortalRequestObject) (GetPortalResponseObject, error) {
	portal, err := a.findPortal(ctx, r.ID)
	return GetPortal200JSONResponse(a.viewPortal(portal)), err
}

// ReplacePortal changes a portal.
func (a *api) ReplacePortal(ctx context.Context, r ReplacePortalRequestObject) (ReplacePortalResponseObject, error) {
	asked, err := parsePortal(*r.Body)
	if err != nil {
		return nil, err
	}
	defer within(request(ctx), workDeadline)()
	found, err := a.findPortal(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	changed, err := a.Portals.ChangePortal(ctx, found.ID, func(old db.Portal) (db.Portal, error) {
		return a.replace(old, asked)
	})
	return ReplacePortal200JSONResponse(a.viewPortal(changed)), portalError(asked.portal.Name, err)
}

// replace makes the portal that is asked for of an old one. A credential that isn't given stays, but never goes to another
// host, or for another user, than it was given for.
func (a *api) replace(old db.Portal, asked portalRequest) (db.Portal, error) {
	p := asked.portal
	p.ID = old.ID
	if asked.credential.given {
		return a.seal(p, asked.credential)
	}
	if !isSFTP(p) || old.CredentialKind == transfer.NoCredential {
		return p, nil // without one
	}
	if orZero(p.Host) != orZero(old.Host) || orZero(p.Username) != orZero(old.Username) || *p.Port != *old.Port {
		return p, invalid("The credential of %s was given for another host, port or username; give it again, or null to remove it.", p.Name)
	}
	if old.CredentialKind == transfer.PasswordCredential && orZero(p.HostKey) != orZero(old.HostKey) {
		return p, invalid("The password of %s was given for a host with another key, and who has that key would be told it; give it again, or null to remove it.", p.Name)
	}
	p.Credential, p.CredentialKind = old.Credential, old.CredentialKind
	return p, nil
}

// DeletePortal deletes a portal that no job needs any more.
func (a *api) DeletePortal(ctx context.Context, r DeletePortalRequestObject) (DeletePortalResponseObject, error) {
	portal, err := a.findPortal(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return DeletePortal204Response{}, portalError(portal.Name, a.Portals.DeletePortal(ctx, portal.ID))
}

// portalName is what the contract takes for one. One of digits alone would be an id.
var portalName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

var digits = regexp.MustCompile(`^[0-9]+$`)

// findPortal returns a portal by its id or name.
func (a *api) findPortal(ctx context.Context, ref string) (portal db.Portal, err error) {
	err = db.ErrNotFound
	if id, notID := strconv.ParseInt(ref, 10, 64); notID == nil && digits.MatchString(ref) {
		portal, err = a.Portals.Portal(ctx, id)
	} else if portalName.MatchString(ref) && !digits.MatchString(ref) {
		portal, err = a.Portals.PortalNamed(ctx, ref)
	}
	return portal, portalError(ref, err)
}

// portalError gives what the database knows of portals its sentence, and leaves other errors alone.
func portalError(ref string, err error) error {
	var use *db.PortalInUse
	switch {
	case errors.Is(err, db.ErrNotFound):
		return failure.New(failure.PortalNotFound, "", fmt.Sprintf("There is no portal %s.", short(ref)))
	case errors.Is(err, db.ErrPortalExists):
		return failure.New(failure.PortalExists, "", fmt.Sprintf("There is a portal %s already.", short(ref)))
	case errors.As(err, &use):
		return failure.New(failure.PortalInUse, "", fmt.Sprintf("%s; until then the portal can't be deleted, nor its kind, root_path, host, port, username or worker_label change.", users(use)))
	}
	return err
}

// users says how many jobs use a portal, and which.
func users(use *db.PortalInUse) string {
	ids := make([]string, len(use.FirstIDs))
	for i, id := range use.FirstIDs {
		ids[i] = strconv.FormatInt(id, 10)
	}
	switch more := use.Jobs - int64(len(ids)); {
	case use.Jobs == 1:
		return fmt.Sprintf("Job %s uses it and has not ended", ids[0])
	case more > 0:
		return fmt.Sprintf("%d jobs use it and have not ended (%s and %d more)", use.Jobs, strings.Join(ids, ", "), more)
	}
	return fmt.Sprintf("%d jobs use it and have not ended (%s)", use.Jobs, strings.Join(ids, ", "))
}
