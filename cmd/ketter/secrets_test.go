package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/secret"
	"github.com/ketter/ketter/infra/testdb"
	"github.com/ketter/ketter/infra/testsshd"
	"github.com/ketter/ketter/infra/tokens"
)

func newPrivateKey(t *testing.T, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "ketter")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "ketter", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// pile is all that anybody could read.
type pile struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (p *pile) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes.Write(b)
}

func (p *pile) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes.String()
}

// dump appends every row of every table, River's among them.
func (p *pile) dump(t *testing.T, store *db.Store) {
	t.Helper()
	rows, err := store.Pool().Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 8 {
		t.Fatalf("%v, %v", tables, err)
	}
	for _, table := range tables {
		rows, err := store.Pool().Query(t.Context(), "SELECT row_to_json(r)::text || r::text FROM "+table+" r")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(p, table, strings.Join(lines, "\n"))
	}
}

// hostKeyFile writes a host's public key to a file and returns its name.
func hostKeyFile(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "host.pub", string(ssh.MarshalAuthorizedKey(key)))
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Wherever one looks, no secret is there in clear: tables, logs, answers, what the commands print.
func TestNoSecretIsAnywhereInClear(t *testing.T) {
	const password, passphrase, refused = "hunter2-the-password", "hunter3-the-passphrase", "hunter4-which-is-refused"
	plainKey, lockedKey, key := newPrivateKey(t, ""), newPrivateKey(t, passphrase), secret.NewKey()
	token, tokensFile := newToken(t, "ana")
	wrongToken := tokens.Prefix + "hunter5-which-nobody-has"
	secrets := []string{password, passphrase, refused, plainKey, lockedKey, key, token, wrongToken}
	all := &pile{}

	store, dbURL := testdb.New(t)
	s := setupLogging(t, zerolog.New(all).Level(zerolog.DebugLevel), dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_SECRET_KEY="+key,
		"KETTER_API_TOKENS_FILE="+tokensFile)
	s.token = token
	t.Setenv("KETTER_SECRET_KEY", key)
	t.Setenv("KETTER_API_TOKEN", token)
	t.Setenv("DB_URL", dbURL)
	run := func(wantStatus int, args ...string) {
		t.Helper()
		out, errOut, status := ketter(t, append(args, "--api", s.url)...)
		fmt.Fprintln(all, out, errOut)
		if status != wantStatus {
			t.Errorf("%v: status %d\n%s%s", args[:3], status, out, errOut)
		}
	}
	bearing := token
	request := func(wantStatus int, method, path, contentType, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		request.SetBasicAuth("ana", bearing)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != wantStatus {
			t.Errorf("%s %s: %d %s %v", method, path, response.StatusCode, answer, err)
		}
		fmt.Fprintln(all, response.Header, string(answer))
	}
	const isJSON = "application/json"

	// Credentials of each kind, by the command line.
	hostKeys := hostKeyFile(t)
	add := func(name string, besides ...string) []string {
		return append([]string{"portals", "add", name, "--kind", "sftp", "--host", "srvtrf.invalid", "--user", "ketter", "--root", "/srv",
			"--host-key", hostKeys}, besides...)
	}
	run(0, add("KEY", "--key", file(t, "key", plainKey))...)
	run(0, add("LOCKED", "--key", file(t, "key", lockedKey), "--passphrase-file", file(t, "passphrase", passphrase+"\n"))...)
	sshd := testsshd.Start(t, testsshd.Options{Config: []string{"PasswordAuthentication yes"}}) // which knows no such password
	run(0, "portals", "add", "PASSWORD", "--kind", "sftp", "--host", "127.0.0.1", "--port", strconv.Itoa(sshd.Port), "--user", sshd.User,
		"--root", "/srv", "--host-key", file(t, "host_key", sshd.HostKey+"\n"), "--password-file", file(t, "password", password+"\n"))
	run(0, add("AGENT", "--use-agent")...)
	run(2, add("WRONG", "--key", file(t, "key", lockedKey), "--passphrase-file", file(t, "passphrase", refused))...)
	run(45, add("KEY", "--password-file", file(t, "password", refused))...)
	run(0, "portals", "set", "KEY", "--max-connections", "3")
	run(0, "portals", "list", "--json")
	run(0, "portals", "show", "LOCKED")
	run(41, "portals", "test", "PASSWORD") // portal_auth_failed

	// What is refused, in every way that a request can be.
	portal := func(credential string) string {
		text, err := os.ReadFile(hostKeys)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"name":"RAW","kind":"sftp","host":"h","username":"u","root_path":"/r","host_key":%q,"credential":%s}`, text, credential)
	}
	quoted, _ := json.Marshal(plainKey)
	for _, bad := range []string{
		`{"password":` + refused + `}`, `"` + refused + `"`, `["` + refused + `"]`, `{"password":"` + refused + `","agent":true}`,
		`{"private_key":"` + refused + `"}`, `{"private_key":` + string(quoted) + `,"passphrase":"` + refused + `"}`,
		`{"password":"` + refused + `","password":"` + refused + `"}`, `{"password":"` + strings.Repeat(refused, 1000) + `"}`,
		`{"password":"` + refused + "\xff" + `"}`, `{"password":"` + refused, `{"agent":"` + refused + `"}`,
	} {
		request(400, "POST", "/portals", isJSON, portal(bad))
		request(400, "PUT", "/portals/KEY", isJSON, portal(bad))
	}
	good := portal(`{"password":"` + refused + `"}`)
	request(413, "POST", "/portals", isJSON, portal(`{"password":"`+strings.Repeat(refused, 50000)+`"}`))
	request(415, "POST", "/portals", "text/plain", good)
	request(404, "PUT", "/portals/none", isJSON, good)
	request(405, "PATCH", "/portals/KEY", isJSON, good)
	request(400, "POST", "/jobs", isJSON, good)
	for _, broken := range []string{"RAISE EXCEPTION 'no'", "NEW.max_connections := 99; RETURN NEW"} { // the database refuses
		for _, sql := range []string{
			"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + broken + "; END $$",
			"CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON portals FOR EACH ROW EXECUTE FUNCTION refuse()",
		} {
			if _, err := store.Pool().Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		request(500, "POST", "/portals", isJSON, good)
	}
	if _, err := store.Pool().Exec(t.Context(), "DROP TRIGGER refuse ON portals"); err != nil {
		t.Fatal(err)
	}

	// Jobs that use them.
	job := s.post(map[string]string{"source_path": s.root, "destination_portal": "PASSWORD", "destination_path": "/", "mode": "copy"})
	s.finished(job.ID)
	for _, path := range []string{"/portals", "/portals/PASSWORD", "/jobs", fmt.Sprintf("/jobs/%d/detail", job.ID), "/readyz", "/"} {
		request(200, "GET", path, "", "")
	}
	request(409, "POST", fmt.Sprintf("/jobs/%d/cancel", job.ID), isJSON, "")

	// Who isn't let in, and says what he has.
	for _, status := range []int{401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 429} {
		bearing = wrongToken
		request(status, "GET", "/jobs", "", "")
	}
	bearing = token
	t.Setenv("KETTER_API_TOKEN", wrongToken)
	run(1, "portals", "list", "--json")
	t.Setenv("KETTER_API_TOKEN", token)
	text, err := os.ReadFile(tokensFile)
	fmt.Fprintln(all, string(text), err)
	for _, args := range [][]string{{"tokens", "list"}, {"tokens", "revoke", "rui"}} {
		out, errOut, _ := ketter(t, append(args, "--file", tokensFile)...)
		fmt.Fprintln(all, out, errOut)
	}

	// What workers see, and with the wrong key don't.
	opened(t, store, key, map[string]remote.Credential{"KEY": {PrivateKey: plainKey}, "LOCKED": {PrivateKey: lockedKey, Passphrase: passphrase},
		"PASSWORD": {Password: password}, "AGENT": {Agent: true}})
	for _, portal := range portalsOf(t, store) {
		right, _ := credentialsOf(t, key).Open(portal)
		_, err := credentialsOf(t, secret.NewKey()).Open(portal)
		if portal.Credential != nil && failure.CodeOf(err) != failure.PortalAuthFailed {
			t.Errorf("%s opens with another key: %v", portal.Name, err)
		}
		fmt.Fprintf(all, "%v %+v %#v %v %s\n", right, right, right, err, failure.From(err))
	}

	// The commands that know the key, or the database.
	out, _, _ := ketter(t, "config")
	fmt.Fprintln(all, out)
	if !strings.Contains(out, "(set)") {
		t.Errorf("the key doesn't show in the configuration as set:\n%s", out)
	}
	out, errOut, status := ketter(t, "portals", "rekey")
	fmt.Fprintln(all, out, errOut)
	if status != 0 || !strings.Contains(out, "Encrypted anew: 0. With the first key already: 3.") {
		t.Errorf("%d %s%s", status, out, errOut)
	}
	t.Setenv("KETTER_SECRET_KEY", key+",x")
	for _, args := range [][]string{{"portals", "rekey"}, {"serve"}, {"config"}} {
		out, errOut, _ := ketter(t, args...)
		fmt.Fprintln(all, out, errOut)
	}

	all.dump(t, store)
	if found := find(all.String(), secrets...); found != "" {
		at := strings.Index(all.String(), found)
		t.Errorf("in clear: …%s…", all.String()[max(0, at-300):min(len(all.String()), at+100)])
	}
	for _, expected := range []string{"srvtrf.invalid", "key_with_passphrase", `"message":"request"`, "public.river_job"} {
		if !strings.Contains(all.String(), expected) {
			t.Errorf("the pile lacks %s: the test looks in the wrong place", expected)
		}
	}
}
