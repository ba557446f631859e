package embedded_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/embedded"
)

func TestDataOutlivesARestart(t *testing.T) {
	b := setup(t)
	b.lock()
	first := b.start()
	b.query(first, "CREATE TABLE kept AS SELECT 'yes' AS answer")
	b.stop(first)
	wait(t, "the server is gone", first.Done())
	must(t, first.Err())
	if err := ping(t.Context(), first.URL()); err == nil {
		t.Error("a stopped server answers")
	}

	second := b.start()
	if second.Describe().Adopted {
		t.Error("the stopped server was adopted")
	}
	if answer := b.query(second, "SELECT answer FROM kept"); answer != "yes" {
		t.Errorf("the table holds %q after a restart", answer)
	}
}

func TestTheServerIsDurableAndOnLoopbackOnly(t *testing.T) {
	b := setup(t)
	server := b.start()
	for setting, want := range map[string]string{"fsync": "on", "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
		"data_checksums": "on", "server_encoding": "UTF8", "password_encryption": "scram-sha-256"} {
		if got := b.query(server, "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s is %q, not %q", setting, got, want)
		}
	}
	if others := b.query(server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"); others != "scram-sha-256" {
		t.Errorf("pg_hba.conf lets in by %s", others)
	}
}

func TestThePasswordIsNeededAndToldNowhere(t *testing.T) {
	b := setup(t)
	server := b.start()
	address, err := url.Parse(server.URL())
	must(t, err)
	password, _ := address.User.Password()
	if len(password) < 32 {
		t.Errorf("the password has %d characters", len(password))
	}
	address.User = url.UserPassword("ketter", "wrong")
	if err := ping(t.Context(), address.String()); err == nil {
		t.Error("a wrong password is let in")
	}
	log, err := os.ReadFile(server.Describe().LogPath)
	must(t, err)
	for where, text := range map[string]string{"the process list": processList(t), "the server's log": string(log),
		"the description": server.Describe().String()} {
		if strings.Contains(text, password) {
			t.Error("the password is in " + where)
		}
	}
	info, err := os.Stat(filepath.Join(b.stateDir, "postgres.password"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the password file is %s", info.Mode())
	}
}

func TestAServerThatDiesIsNoticed(t *testing.T) {
	b := setup(t)
	server := b.start()
	if server.Err() != nil {
		t.Fatal(server.Err())
	}
	must(t, syscall.Kill(server.Describe().PID, syscall.SIGKILL))
	wait(t, "the death is noticed", server.Done())
	if server.Err() == nil {
		t.Error("a killed server has no error")
	}
	b.query(b.start(), "SELECT 'it recovers'")
}

func TestAFailedStartShowsTheServersOwnWords(t *testing.T) {
	b := setup(t)
	server := b.start()
	b.stop(server)
	config, err := os.OpenFile(filepath.Join(server.Describe().DataDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = fmt.Fprintln(config, "no_such_setting = on")
	must(t, err)
	must(t, config.Close())
	_, err = embedded.StartPostgres(t.Context(), options(b.stateDir, b.elsewhere))
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("the error does not show the reason: %v", err)
	}
}

func TestAStartThatIsCancelledLeavesNothingRunning(t *testing.T) {
	b := setup(t)
	server := b.start()
	b.stop(server)
	ctx, cancel := context.WithCancel(t.Context())
	cancelling := options(b.stateDir, b.elsewhere)
	cancelling.Ping = func(context.Context, string) error { cancel(); return context.Canceled }
	if _, err := embedded.StartPostgres(ctx, cancelling); err == nil {
		t.Fatal("a cancelled start succeeded")
	}
	if _, err := os.Stat(filepath.Join(server.Describe().DataDir, "postmaster.pid")); !os.IsNotExist(err) {
		t.Errorf("a server is left: %v", err)
	}
}

func TestALostPasswordIsToldAndTheDataKept(t *testing.T) {
	b := setup(t)
	server := b.start()
	b.stop(server)
	must(t, os.Remove(filepath.Join(b.stateDir, "postgres.password")))
	_, err := embedded.StartPostgres(t.Context(), options(b.stateDir, b.elsewhere))
	if err == nil || !strings.Contains(err.Error(), "postgres.password") {
		t.Errorf("the error does not name the file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(server.Describe().DataDir, "PG_VERSION")); err != nil {
		t.Error(err)
	}
}

func TestAKilledInitLeavesNothingThatIsTrusted(t *testing.T) {
	b := setup(t)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), ownerState+"="+b.stateDir, ownerState+"_ELSEWHERE="+b.elsewhere)
	must(t, command.Start())
	halfMade := ""
	for deadline := time.Now().Add(30 * time.Second); halfMade == "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(b.stateDir, "*.init-*", "data", "PG_VERSION")); len(found) > 0 {
			halfMade = found[0]
		}
	}
	must(t, command.Process.Kill())
	_ = command.Wait()
	if halfMade == "" {
		t.Fatal("no database was begun")
	}
	b.lock()
	b.query(b.start(), "SELECT 'it is whole'")
}
