package db_test

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/testdb"
)

// A server is run out of connections by whoever has them: counting one's own would say that all is well.
func TestEveryRolesConnectionsAreCountedForARoleWithoutPrivileges(t *testing.T) {
	t.Parallel()
	store, address := testdb.New(t)
	const others = 4
	for range others {
		held, err := store.Pool().Acquire(t.Context())
		must(t, err)
		t.Cleanup(held.Release)
	}
	u, err := url.Parse(address)
	must(t, err)
	role := "modest_" + strings.ToLower(rand.Text())
	admin := open(t, address)
	exec(t, admin, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, role))
	modest := *u
	modest.User = url.UserPassword(role, role)
	asked, err := db.Open(t.Context(), modest.String(), 1)
	must(t, err)
	server, err := asked.Server(t.Context())
	asked.Close()
	exec(t, admin, "DROP ROLE "+role)
	if err != nil || server.Connected < others+1 || server.Connections < server.Connected || server.VersionNumber == 0 {
		t.Errorf("%+v, %v", server, err)
	}
}

func open(t *testing.T, address string) *db.Store {
	t.Helper()
	store, err := db.Open(t.Context(), address, 1)
	must(t, err)
	t.Cleanup(store.Close)
	return store
}
