package survival

import (
	"context"
	"errors"
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

// postgres is a server of the tests' own, which may be stopped and started again in the same place.
type postgres struct {
	bin, home string
	port      int
	cmd       *exec.Cmd // nil while it is stopped
	gone      chan struct{}
}

// newPostgres makes one that ends with the test.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	p, err := makePostgres()
	must(t, err)
	t.Cleanup(func() { must(t, p.remove()) })
	return p
}

// makePostgres makes a server and starts it. Nothing of it is durable.
func makePostgres() (p *postgres, err error) {
	p = &postgres{port: freePort()}
	if p.bin, err = binDir(); err != nil {
		return nil, err
	}
	if p.home, err = os.MkdirTemp("", "ketter-survival"); err != nil { // where others than we may enter
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.remove())
		}
	}()
	if as := account(); as.Credential != nil {
		if err := os.Chown(p.home, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	said, err := p.command("initdb", "-D", p.data(), "--username=ketter", "--auth=trust", "--no-sync", "--no-locale",
		"--encoding=UTF8").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, said)
	}
	return p, p.start()
}

func (p *postgres) remove() error {
	return errors.Join(p.stop(syscall.SIGQUIT), os.RemoveAll(p.home))
}

func (p *postgres) data() string { return filepath.Join(p.home, "data") }

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://ketter@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

// command is one of the binaries, as a user that PostgreSQL accepts.
func (p *postgres) command(tool string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, tool), arguments...)
	cmd.Dir, cmd.Env = p.home, []string{"PATH=/usr/bin:/bin", "HOME=" + p.home, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = account()
	return cmd
}

// account makes a process one of a user that PostgreSQL accepts, which root is not.
func account() *syscall.SysProcAttr {
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
	return attributes // and PostgreSQL says what it thinks of that
}

// binDir is PG_BINDIR, else where initdb really is, else the newest of the places where packages put it.
func binDir() (string, error) {
	if dir := os.Getenv("PG_BINDIR"); dir != "" {
		return dir, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", errors.New("these tests need PostgreSQL's server: apt install postgresql, or brew install postgresql@16")
}

// freePort is one that Linux doesn't give to outgoing connections, so that it is still free when a server is to start
// again.
func freePort() int {
	for {
		port := 20_000 + rand.IntN(12_000)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = listener.Close() // nothing has used it
			return port
		}
	}
}

// start returns when the server answers.
func (p *postgres) start() error {
	log, err := os.OpenFile(filepath.Join(p.home, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=300")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return err
	}
	p.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // its log tells how it ended
		close(gone)
	}(p.cmd, p.gone)
	for deadline := time.Now().Add(time.Minute); !p.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL does not answer: %s", said)
		}
	}
	return nil
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
func (p *postgres) stop(how syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(how) // it may have ended by itself
	select {
	case <-p.gone:
		p.cmd = nil
		return nil
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.gone
		return errors.New("PostgreSQL did not stop")
	}
}

// setup makes a bench on the server.
func (p *postgres) setup(t *testing.T) *bench {
	t.Helper()
	store, err := db.Open(t.Context(), p.url(), 4)
	must(t, err)
	t.Cleanup(store.Close)
	must(t, riverjobs.MigrateUp(t.Context(), store, p.url()))
	return setupOn(t, store, p.url())
}
