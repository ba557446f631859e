package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/embedded"
	"github.com/ketter/ketter/infra/testdb"
	"github.com/ketter/ketter/infra/testsshd"
)

// machine stands for the hosts of the documents: a Ketter, a folder instead of /, and what the documents take for granted there.
type machine struct {
	site
	store  *db.Store
	dir    string
	env    []string
	far    *testsshd.Server
	names  *strings.Replacer
	listen string // a free address, for a second API
	isUp   bool   // a `ketter up` runs beside
}

func newMachine(t *testing.T, binary string) *machine {
	t.Helper()
	store, databaseURL := testdb.New(t)
	server, err := embedded.StartRedis(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	redis := server.URL()
	key, _, _ := ketter(t, "secret-key")
	secret := filepath.Join(t.TempDir(), "secret.key")
	writeFile(t, secret, key)
	m := &machine{store: store, listen: freeAddress(t)}
	m.site = setup(t, databaseURL, redis, "KETTER_SECRET_KEY_FILE="+secret, "KETTER_WORKER_LABEL=lab", "KETTER_SOFT_STOP=1s")
	m.dir = m.root
	bin := filepath.Join(m.dir, "bin")
	m.far = testsshd.Start(t, testsshd.Options{Environment: []string{"PATH=" + bin + ":/usr/bin:/bin"}})
	m.env = []string{"HOME=" + m.dir, "DB_URL=" + databaseURL, "REDIS_URL=" + redis, "KETTER_SECRET_KEY_FILE=" + secret,
		"KETTER_ALLOWED_ROOTS=" + m.dir, "KETTER_LISTEN=" + strings.TrimPrefix(m.url, "http://"), "KETTER_SOFT_STOP=1s",
		"PATH=" + strings.Join(append([]string{bin, os.Getenv("PATH")}, postgresBins()...), ":")}
	m.furnish(bin, key, binary)
	m.names = m.replacer(databaseURL, redis)
	return m
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// postgresBins is where packages put pg_dump, if not on PATH.
func postgresBins() (found []string) {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"} {
		here, _ := filepath.Glob(pattern)
		found = append(found, here...)
	}
	return found
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// furnish makes the folders, files and commands that the documents begin with.
func (m *machine) furnish(bin, secret, binary string) {
	m.t.Helper()
	for _, folder := range []string{"bin", "data/out", "mnt/media", "mnt/nas", "srv/media/delivered", "etc/ketter", "tmp", "var/backups"} {
		if err := os.MkdirAll(filepath.Join(m.dir, folder), 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, folder := range []string{"data/in/session_042", "dev_data/source/Session 01", "mnt/media/Session 01", "mnt/card/A001"} {
		makeFolder(m.t, filepath.Join(m.dir, folder), 3)
	}
	for _, folder := range []string{".", "etc/ketter"} {
		writeFile(m.t, filepath.Join(m.dir, folder, "id_srvtrf"), m.far.Key)
		writeFile(m.t, filepath.Join(m.dir, folder, "srvtrf.hostkey"), m.far.HostKey+"\n")
	}
	writeFile(m.t, filepath.Join(m.dir, "etc/ketter/secret.key"), secret)
	writeFile(m.t, filepath.Join(m.dir, "etc/ssh/ssh_host_ed25519_key.pub"), m.far.HostKey+"\n")
	if err := os.Symlink(binary, filepath.Join(bin, "ketter")); err != nil {
		m.t.Fatal(err)
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		m.t.Fatal("this test needs curl")
	}
	// It says what it was answered, for the test to see.
	writeFile(m.t, filepath.Join(bin, "curl"), "#!/bin/sh\nexec "+curl+` --max-time 60 -sS -w '%{stderr}\nHTTP %{http_code}\n' "$@"`+"\n")
	if err := os.Chmod(filepath.Join(bin, "curl"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// binaryDir is for what tests build and share.
var binaryDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ketter-tests")
	if err != nil {
		panic(err)
	}
	binaryDir = dir
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// buildKetter builds ketter as it is shipped: the commands are many, and the race detector makes each of them slow to begin.
var buildKetter = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(binaryDir, "ketter")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, said)
	}
	return path, nil
})

func builtKetter(t *testing.T) string {
	t.Helper()
	path, err := buildKetter()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// replacer puts this machine's names in the place of the documents'.
func (m *machine) replacer(databaseURL, redis string) *strings.Replacer {
	m.t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		m.t.Fatal(err)
	}
	server := *u
	server.Path = "/postgres"
	restored := *u
	restored.Path += "_restored"
	m.t.Cleanup(func() { // the tests' server is not this test's alone
		statement := "DROP DATABASE IF EXISTS " + strings.TrimPrefix(restored.Path, "/") + " WITH (FORCE)"
		if _, err := m.store.Pool().Exec(context.Background(), statement); err != nil {
			m.t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(fmt.Sprintf("127.0.0.1:%d", m.far.Port))
	pairs := []string{
		"http://127.0.0.1:8000", m.url, "127.0.0.1:9464", freeAddress(m.t), "bin/ketter", "ketter",
		"postgres://ketter:PASSWORD@db.example:5432/ketter_restored", restored.String(),
		"postgres://ketter:PASSWORD@db.example:5432/postgres", server.String(),
		"postgres://ketter:PASSWORD@db.example:5432/ketter", databaseURL,
		"redis://:PASSWORD@db.example:6379/0", redis,
		"ketter_restored", strings.TrimPrefix(restored.Path, "/"),
		"--host srvtrf.example", "--host 127.0.0.1 --port " + port, "--user ketter ", "--user " + m.far.User + " ",
		`"host": "srvtrf.example"`, `"host": "127.0.0.1", "port": ` + port, "srvtrf.example", "127.0.0.1:" + port,
		"chown -R ketter:", "true", "seq 2000", "seq 1100", "/tmp/on-", m.dir + "/tmp/on-",
	}
	for _, folder := range []string{"/data/", "/mnt/", "/srv/", "/etc/ketter/", "/etc/ssh/", "/var/"} {
		pairs = append(pairs, folder, m.dir+folder)
	}
	return strings.NewReplacer(pairs...)
}

// up starts a `ketter up` with its state in .ketter, once.
func (m *machine) up() {
	m.t.Helper()
	if m.isUp {
		return
	}
	m.isUp = true
	log := filepath.Join(m.dir, "up.log")
	m.startUp(m.stateDir(), log)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		said, _ := os.ReadFile(log)
		if strings.Contains(string(said), "is up.") {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("ketter up doesn't come up:\n%s", said)
		}
	}
}

// stateDir is where PostgreSQL's user can get to, which a test's own folder isn't.
func (m *machine) stateDir() string {
	m.t.Helper()
	dir, err := os.MkdirTemp("", "ketter-docs")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Symlink(dir, filepath.Join(m.dir, ".ketter"))); err != nil {
		m.t.Fatal(err)
	}
	return dir
}

func (m *machine) startUp(state, logPath string) {
	m.t.Helper()
	log, err := os.Create(logPath)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(m.dir, "bin/ketter"), "up", "--listen", "127.0.0.1:0", "--state-dir", state)
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // its log tells how it ended
		_ = log.Close()
	})
}
