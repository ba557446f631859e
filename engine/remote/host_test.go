package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testsshd"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func hosts(t *testing.T, options remote.Options) *remote.Hosts {
	t.Helper()
	h := remote.NewHosts(options)
	t.Cleanup(h.Close)
	return h
}

func TestAProgramGetsItsInputAndGivesItsOutput(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	p, err := hosts(t, remote.Options{}).Host(server.Target(1)).Start(within(t), remote.Command{Line: "cat"})
	must(t, err)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // more than windows hold
	go func() {
		_, _ = p.Write(want)
		_ = p.CloseWrite()
	}()
	got, err := io.ReadAll(p)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, or others", len(got))
	}
	must(t, p.Wait())
	must(t, p.Close())
}

func TestAFailedProgramSaysHowItEnded(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	host := hosts(t, remote.Options{}).Host(server.Target(1))
	for line, want := range map[string]remote.ExitError{
		"echo wrong >&2; exit 3": {Status: 3, Stderr: "wrong\n"},
		"kill -9 $$":             {Status: -1},
	} {
		p, err := host.Start(within(t), remote.Command{Line: line})
		must(t, err)
		if rest, err := io.ReadAll(p); len(rest) > 0 || err != nil {
			t.Errorf("it said %q, %v", rest, err)
		}
		var exit *remote.ExitError
		if err := p.Wait(); !errors.As(err, &exit) || *exit != want {
			t.Errorf("%s: %v", line, err)
		}
		must(t, p.Close())
	}
}
