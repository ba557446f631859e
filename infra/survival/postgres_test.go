package survival

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// postgres is a server of the test's own, which it may stop and start again in the same place.
type postgres struct {
	*testing.T
	home string
	port int
	cmd  *exec.Cmd // nil while it is stopped
	gone chan struct{}
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	home, err := os.MkdirTemp("", "ketter-survival") // not below t.TempDir, which others than its owner can't enter
	must(t, err)
	p := &postgres{T: t, home: home, port: freePort(t)}
	t.Cleanup(func() {
		p.stop(syscall.SIGQUIT)
		must(t, os.RemoveAll(home))
	})
	if as := p.account(); as.Credential != nil {
		must(t, os.Chown(home, int(as.Credential.Uid), int(as.Credential.Gid)))
	}
	said, err := p.command("initdb", "-D", p.data(), "--username=ketter", "--auth=trust", "--no-sync", "--no-locale",
		"--encoding=UTF8").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v: %s", err, said)
	}
	p.start()
	return p
}

func (p *postgres) data() string { return filepath.Join(p.home, "data") }

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://ketter@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

// command is one of the binaries, as a user that PostgreSQL accepts.
func (p *postgres) command(tool string, arguments ...string) *exec.Cmd {
	p.Helper()
	cmd := exec.Command(filepath.Join(binDir(p.T), tool), arguments...)
	cmd.Dir, cmd.Env = p.home, []string{"PATH=/usr/bin:/bin", "HOME=" + p.home, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = p.account()
	return cmd
}

func (p *postgres) account() *syscall.SysProcAttr {
	p.Helper()
	attributes := endsWithUs()
	if os.Geteuid() != 0 {
		return attributes
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
			gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
			if uidErr == nil && gidErr == nil {
				attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
				return attributes
			}
		}
	}
	p.Fatal("PostgreSQL refuses root, and there is neither a user postgres nor nobody")
	return nil
}

// binDir is PG_BINDIR, else where initdb really is, else the newest of the places where packages put it.
func binDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PG_BINDIR"); dir != "" {
		return dir
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return slices.Max(found)
		}
	}
	t.Fatal("this test needs PostgreSQL's server: apt install postgresql, or brew install postgresql@16")
	return ""
}

// freePort is one that Linux doesn't give to outgoing connections, so that it is still free when a server is to start
// again.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, listener.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// start returns when the server answers.
func (p *postgres) start() {
	p.Helper()
	log, err := os.OpenFile(filepath.Join(p.home, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(p.T, err)
	defer log.Close()
	p.cmd = p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	must(p.T, p.cmd.Start())
	p.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait()
		close(gone)
	}(p.cmd, p.gone)
	for deadline := time.Now().Add(time.Minute); !p.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(p.home, "server.log"))
			p.Fatalf("PostgreSQL does not answer: %s", said)
		}
	}
}

func (p *postgres) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

// stop ends the server: with SIGINT in order, with SIGQUIT as by a crash.
func (p *postgres) stop(how syscall.Signal) {
	p.Helper()
	if p.cmd == nil {
		return
	}
	must(p.T, p.cmd.Process.Signal(how))
	select {
	case <-p.gone:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.gone
		p.Error("PostgreSQL did not stop")
	}
	p.cmd = nil
}

// setup makes a bench on the server.
func (p *postgres) setup() *bench {
	p.Helper()
	store, err := db.Open(p.Context(), p.url(), 4)
	must(p.T, err)
	p.Cleanup(store.Close)
	must(p.T, riverjobs.MigrateUp(p.Context(), store, p.url()))
	return setupOn(p.T, store, p.url())
}
