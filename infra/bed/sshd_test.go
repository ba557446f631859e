package bed_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/bed"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T) *bed.Sshd {
	t.Helper()
	s, err := bed.NewSshd(t.TempDir())
	must(t, err)
	must(t, s.Start())
	t.Cleanup(s.Kill)
	return s
}

// ssh is a command on the server's host, by a key that was let in under the options.
func ssh(t *testing.T, s *bed.Sshd, options, command string) *exec.Cmd {
	t.Helper()
	key, err := s.Admit(options)
	must(t, err)
	config, err := s.ClientConfig(key, s.Address())
	must(t, err)
	return exec.Command("ssh", "-F", config, "srvtrf", command)
}

func TestAnOrdinaryAccountRunsCommands(t *testing.T) {
	t.Parallel()
	s := start(t)
	if said, err := ssh(t, s, bed.Shell, "echo hello").CombinedOutput(); err != nil || string(said) != "hello\n" {
		t.Errorf("%s%v", said, err)
	}
}

func TestAnAccountForFilesRunsNoCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	said, err := ssh(t, s, bed.SFTPOnly, "echo hello").CombinedOutput()
	if strings.Contains(string(said), "hello") {
		t.Errorf("%s%v", said, err)
	}
}

func TestAKilledServerTakesItsSessionsWithItAndStartsAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := ssh(t, s, bed.Shell, "echo ready; exec sleep 600")
	out, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start())
	_, err = out.Read(make([]byte, 6))
	must(t, err)
	if n := s.Sessions(); n != 1 {
		t.Errorf("it serves %d", n)
	}
	s.Kill()
	ended := make(chan struct{})
	go func() {
		_ = session.Wait() // its connection is gone
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = session.Process.Kill()
		t.Error("the session goes on")
	}
	must(t, s.Start())
	if said, err := ssh(t, s, bed.Shell, "echo hello").CombinedOutput(); err != nil || string(said) != "hello\n" {
		t.Errorf("%s%v", said, err)
	}
}
