package httpapi_test

import (
	"context"
	"net/http"
	"path"
	"strings"
	"testing"
	"unicode"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

type portals httpapi.Portals

// keeper takes a portal as the database would.
type keeper struct {
	portals
	made db.Portal
	kept bool
}

func (k *keeper) CreatePortal(_ context.Context, p db.Portal, finish func(db.Portal) (db.Portal, error)) (_ db.Portal, err error) {
	p.ID = 1
	k.made, err = finish(p)
	k.kept = err == nil
	return k.made, err
}

func (*keeper) Portal(_ context.Context, id int64) (db.Portal, error) { return db.Portal{ID: id}, nil }

func (*keeper) PortalNamed(_ context.Context, name string) (db.Portal, error) {
	return db.Portal{ID: int64(len(name))}, nil
}

func checkPortal(t *testing.T, p db.Portal) {
	t.Helper()
	sftp := p.Kind == transfer.SFTPPortal
	if p.RootPath != path.Clean(p.RootPath) || p.RootPath[0] != '/' || p.MaxConnections < 1 || p.MaxConnections > 32 ||
		sftp != (p.Host != nil) || sftp != (p.Port != nil) || sftp != (p.Username != nil) || sftp != (p.HostKey != nil) ||
		!sftp && (p.CredentialKind != transfer.NoCredential || p.AgentPath != nil || p.SendAgent) ||
		(p.Credential != nil) != (p.CredentialKind != transfer.NoCredential && p.CredentialKind != transfer.AgentCredential) {
		t.Errorf("%+v", p)
	}
	if sftp && strings.ContainsFunc(*p.Host+*p.Username+p.Name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		t.Errorf("host %q, user %q, name %q", *p.Host, *p.Username, p.Name)
	}
}

// FuzzCreatePortal: whatever is posted, the answer says what the caller did wrong or the portal is one that the database takes.
func FuzzCreatePortal(f *testing.F) {
	f.Add([]byte(sftpWith(nil)))
	f.Add([]byte(sftpWith(map[string]any{"credential": map[string]any{"password": "p"}, "port": 22, "worker_label": "a"})))
	f.Add([]byte(localPortal("a", "b")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		store := &keeper{}
		a := send(httpapi.New(httpapi.Options{Portals: store, Credentials: &vault{}}), http.MethodPost, "/portals", string(sent))
		if a.StatusCode == http.StatusCreated {
			checkPortal(t, store.made)
		} else if a.StatusCode < 400 || a.StatusCode >= 500 || store.kept {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
}
