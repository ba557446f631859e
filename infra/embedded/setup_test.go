package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/embedded"
)

// ownerState makes this binary an owner of a server instead of a test run: see owner.
const ownerState = "EMBEDDED_TEST_OWNER_STATE"

func TestMain(m *testing.M) {
	if stateDir := os.Getenv(ownerState); stateDir != "" {
		if err := owner(stateDir, os.Getenv(ownerState+"_ELSEWHERE")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// owner holds a state directory with a server until its standard input ends.
func owner(stateDir, elsewhere string) error {
	release, err := embedded.LockState(stateDir)
	if err != nil {
		return err
	}
	defer release()
	server, err := embedded.StartPostgres(context.Background(), options(stateDir, elsewhere))
	if err != nil {
		return err
	}
	fmt.Println(server.Describe().PID)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Stop(context.Background())
}

func options(stateDir, elsewhere string) embedded.PostgresOptions {
	return embedded.PostgresOptions{StateDir: stateDir, ElsewhereDir: elsewhere, BinDir: os.Getenv("PG_BINDIR"),
		Ping: ping, Logger: zerolog.Nop()}
}

func ping(ctx context.Context, url string) error {
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return connection.Close(ctx)
}

// reachable makes a folder that every user can get to; those of t.TempDir lie below one that is 0700.
func reachable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ketter-embedded-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// bench is a state directory with what its tests need.
type bench struct {
	t         *testing.T
	stateDir  string
	elsewhere string
}

func setup(t *testing.T) bench {
	t.Helper()
	t.Parallel()
	dir := reachable(t)
	return bench{t: t, stateDir: filepath.Join(dir, "state"), elsewhere: filepath.Join(dir, "elsewhere")}
}

func (b bench) lock() {
	b.t.Helper()
	release, err := embedded.LockState(b.stateDir)
	must(b.t, err)
	b.t.Cleanup(release)
}

// start starts a server that is gone when the test is over.
func (b bench) start() *embedded.Postgres {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	server, err := embedded.StartPostgres(ctx, options(b.stateDir, b.elsewhere))
	must(b.t, err)
	b.t.Cleanup(func() { b.stop(server) })
	return server
}

func (b bench) stop(server *embedded.Postgres) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(b.t, server.Stop(ctx))
}

// startOwner runs another process that owns the state directory, and returns it with its server's pid.
func (b bench) startOwner() (*exec.Cmd, int) {
	b.t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), ownerState+"="+b.stateDir, ownerState+"_ELSEWHERE="+b.elsewhere)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	must(b.t, err)
	output, err := command.StdoutPipe()
	must(b.t, err)
	must(b.t, command.Start())
	b.t.Cleanup(func() { _ = input.Close(); _ = command.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	must(b.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(b.t, err)
	return command, pid
}

func (b bench) query(server *embedded.Postgres, sql string) string {
	b.t.Helper()
	connection, err := pgx.Connect(b.t.Context(), server.URL())
	must(b.t, err)
	defer func() { must(b.t, connection.Close(b.t.Context())) }()
	var result string
	if err := connection.QueryRow(b.t.Context(), sql).Scan(&result); err != nil && err != pgx.ErrNoRows {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return result
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("not within 30 s: " + what)
	}
}

// processList returns the arguments of all processes. A bare machine has no ps, macOS no /proc.
func processList(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	if len(paths) == 0 {
		output, err := exec.Command("ps", "-ww", "-eo", "args").Output()
		must(t, err)
		return string(output)
	}
	var list strings.Builder
	for _, path := range paths {
		arguments, _ := os.ReadFile(path) // it may just have ended
		list.Write(arguments)
	}
	if !strings.Contains(list.String(), "config_file=") {
		t.Error("the process list does not show the server itself")
	}
	return list.String()
}
