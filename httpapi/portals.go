package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

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

func (a *api) createPortal(c *gin.Context) error {
	asked, err := a.readPortal(c)
	if err != nil {
		return err
	}
	created, err := a.Portals.CreatePortal(c.Request.Context(), asked.portal, func(p db.Portal) (db.Portal, error) {
		return a.seal(p, asked.credential)
	})
	if err != nil {
		return portalError(asked.portal.Name, err)
	}
	c.Header("Location", fmt.Sprintf("/portals/%d", created.ID))
	writeJSON(c, http.StatusCreated, a.viewPortal(created))
	return nil
}

func (a *api) readPortal(c *gin.Context) (portalRequest, error) {
	if _, err := parseQuery(c); err != nil {
		return portalRequest{}, err
	}
	members, err := readObject(c.Writer, c.Request)
	if err != nil {
		return portalRequest{}, err
	}
	return parsePortal(members)
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

func (a *api) listPortals(c *gin.Context) error {
	if _, err := parseQuery(c); err != nil {
		return err
	}
	portals, err := a.Portals.Portals(c.Request.Context())
	if err != nil {
		return err
	}
	views := make([]portalView, len(portals))
	for i, portal := range portals {
		views[i] = a.viewPortal(portal)
	}
	writeJSON(c, http.StatusOK, gin.H{"portals": views})
	return nil
}

func (a *api) showPortal(c *gin.Context) error {
	portal, err := a.portalOf(c)
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, a.viewPortal(portal))
	return nil
}

func (a *api) changePortal(c *gin.Context) error {
	asked, err := a.readPortal(c)
	if err != nil {
		return err
	}
	found, err := a.portalOf(c)
	if err != nil {
		return err
	}
	changed, err := a.Portals.ChangePortal(c.Request.Context(), found.ID, func(old db.Portal) (db.Portal, error) {
		return a.replace(old, asked)
	})
	if err != nil {
		return portalError(asked.portal.Name, err)
	}
	writeJSON(c, http.StatusOK, a.viewPortal(changed))
	return nil
}

// replace makes the portal that is asked for of an old one. A credential that isn't given stays, but never goes to another
// host, or for another user, than it was given for.
func (a *api) replace(old db.Portal, asked portalRequest) (db.Portal, error) {
	p := asked.portal
	p.ID = old.ID
	if asked.credential.given {
		return a.seal(p, asked.credential)
	}
	if !isSFTP(p) || old.CredentialKind == noCredential {
		return p, nil // without one
	}
	if orEmpty(p.Host) != orEmpty(old.Host) || orEmpty(p.Username) != orEmpty(old.Username) || *p.Port != *old.Port {
		return p, invalid("The credential of %s was given for another host, port or username; give it again, or null to remove it.", p.Name)
	}
	if old.CredentialKind == transfer.PasswordCredential && orEmpty(p.HostKey) != orEmpty(old.HostKey) {
		return p, invalid("The password of %s was given for a host with another key, and who has that key would be told it; give it again, or null to remove it.", p.Name)
	}
	p.Credential, p.CredentialKind = old.Credential, old.CredentialKind
	return p, nil
}

func (a *api) deletePortal(c *gin.Context) error {
	portal, err := a.portalOf(c)
	if err != nil {
		return err
	}
	if err := a.Portals.DeletePortal(c.Request.Context(), portal.ID); err != nil {
		return portalError(portal.Name, err)
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

// portalOf returns the portal in a route that takes nothing else.
func (a *api) portalOf(c *gin.Context) (db.Portal, error) {
	if _, err := parseQuery(c); err != nil {
		return db.Portal{}, err
	}
	return a.findPortal(c.Request.Context(), c.Param("id"))
}

// portalName is what the database takes for one. One of digits alone would be an id.
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
