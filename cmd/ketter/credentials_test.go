package main

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/secret"
	"github.com/ketter/ketter/infra/testdb"
)

func credentialsOf(t *testing.T, keys ...string) credentials {
	t.Helper()
	c, err := newCredentials(config.Config{SecretKey: config.Secret(strings.Join(keys, ","))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func portalsOf(t *testing.T, store *db.Store) []db.Portal {
	t.Helper()
	portals, err := store.Portals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return portals
}

// opened wants the credentials in the database to be these.
func opened(t *testing.T, store *db.Store, key string, want map[string]remote.Credential) {
	t.Helper()
	portals := portalsOf(t, store)
	if len(portals) != len(want) {
		t.Errorf("%d portals", len(portals))
	}
	for _, portal := range portals {
		if got, err := credentialsOf(t, key).Open(portal); err != nil || got != want[portal.Name] {
			t.Errorf("%s: another credential, or %v", portal.Name, err)
		}
	}
}

func TestACredentialOpensForItsPortalAlone(t *testing.T) {
	t.Parallel()
	c := credentialsOf(t, secret.NewKey())
	sealed, err := c.Seal(1, remote.Credential{Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Open(db.Portal{ID: 1, Credential: sealed}); err != nil || got.Password != "hunter2" {
		t.Errorf("%v", err)
	}
	if _, err := c.Open(db.Portal{ID: 2, Credential: sealed}); failure.CodeOf(err) != failure.PortalAuthFailed {
		t.Errorf("in another row: %v", err)
	}
	if _, err := (credentials{}).Seal(1, remote.Credential{Password: "hunter2"}); failure.CodeOf(err) != failure.InvalidRequest ||
		!strings.Contains(failure.From(err).Advice(), "ketter secret-key") {
		t.Errorf("without a key: %v", err)
	}
}

func TestRekeyingLeavesNothingToTheOldKey(t *testing.T) {
	store, dbURL := testdb.New(t)
	older, newer := secret.NewKey(), secret.NewKey()
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_SECRET_KEY="+older)
	for _, name := range []string{"A", "B"} {
		_, errOut, status := ketter(t, "portals", "add", name, "--kind", "sftp", "--host", "h", "--user", "u", "--root", "/r", "--host-key", hostKeyFile(t),
			"--password-file", file(t, "password", "of "+name+"\r\n"), "--api", s.url)
		if status != 0 {
			t.Fatal(errOut)
		}
	}
	t.Setenv("DB_URL", dbURL)
	rekey := func(keys string, status int, says string) {
		t.Helper()
		t.Setenv("KETTER_SECRET_KEY_FILE", file(t, "keys", keys))
		out, errOut, got := ketter(t, "portals", "rekey")
		if got != status || !strings.Contains(out+errOut, says) {
			t.Errorf("status %d: %s%s", got, out, errOut)
		}
	}
	rekey(newer, 41, "None of the keys opens the credential of A, B")
	rekey(newer+"\n"+older, 0, "Encrypted anew: 2. With the first key already: 0.")
	rekey(newer+"\n"+older, 0, "Encrypted anew: 0. With the first key already: 2.")
	opened(t, store, newer, map[string]remote.Credential{"A": {Password: "of A"}, "B": {Password: "of B"}})
	out, _, _ := ketter(t, "portals", "list", "--api", s.url) // whose API has the old key only
	if strings.Count(out, "password (key lost)") != 2 {
		t.Errorf("%s", out)
	}
	rekey("", 2, "there is no key")
}
