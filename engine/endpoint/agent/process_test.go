package agent

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

const asAgent = "KETTER_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) == "" {
		os.Exit(m.Run())
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout, ServeOptions{Version: "test"}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// thisMachine starts programs as sshd does, here.
type thisMachine struct{}

type child struct {
	io.Reader
	in  io.WriteCloser
	cmd *exec.Cmd
}

func (thisMachine) Start(_ context.Context, command remote.Command) (remote.Process, error) {
	cmd := exec.Command("/bin/sh", "-c", command.Line)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &child{out, in, cmd}, cmd.Start()
}

func (c *child) Write(p []byte) (int, error) {
	n, err := c.in.Write(p)
	if err != nil {
		err = &failure.Error{Code: failure.PortalUnreachable, Err: err}
	}
	return n, err
}
func (c *child) CloseWrite() error { return c.in.Close() }
func (c *child) Wait() error       { return c.cmd.Wait() }
func (c *child) Close() error      { _ = c.in.Close(); return c.cmd.Process.Kill() }

// agentPath is a program that makes an agent of this test.
func agentPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	path := filepath.Join(t.TempDir(), "agent of\na test")
	if err == nil {
		err = os.WriteFile(path, []byte("#!/bin/sh\n"+asAgent+"=1 exec '"+self+"'\n"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformanceOfAProcess(t *testing.T) {
	t.Parallel()
	p := newPool(t, thisMachine{}, Options{AgentPath: agentPath(t)})
	endpointtest.Run(t, func(t *testing.T) endpoint.Dir {
		_, dir := openAt(t, p, t.TempDir())
		return dir
	})
}

// TestAKilledAgentHasNoLocks and its client goes on with another.
func TestAKilledAgentHasNoLocks(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, dir := openAt(t, newPool(t, thisMachine{}, Options{AgentPath: agentPath(t)}), root)
	must(t, "lock", dir.TryLock())
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	for range 3 {
		_, err := w.Write([]byte("0123456789"))
		must(t, "write", err)
		c, err := s.lanes[0].get() // a new one, if the one before is gone
		must(t, "process", err)
		must(t, "kill", c.process.(*child).cmd.Process.Kill())
	}
	must(t, "close", w.Close())
	got, err := os.ReadFile(filepath.Join(root, "file"))
	if err != nil || string(got) != "012345678901234567890123456789" {
		t.Errorf("it holds %q, %v", got, err)
	}
}
