package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testnet"
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

func TestProcessesSpreadOverTheConnections(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 0)
	target := server.Target(3)
	target.Port = proxy.Port()
	host := hosts(t, remote.Options{}).Host(target)
	var running []remote.Process
	for n, want := range []int64{1, 2, 3, 3, 3} {
		p, err := host.Start(within(t), remote.Command{Line: "cat"})
		must(t, err)
		running = append(running, p)
		if got := proxy.Taken.Load(); got != want {
			t.Errorf("%d processes have %d connections", n+1, got)
		}
	}
	for _, p := range running {
		must(t, p.Close())
	}
	p, err := host.Start(within(t), remote.Command{Line: "cat"})
	must(t, err)
	must(t, p.Close())
	if got := proxy.Taken.Load(); got != 3 {
		t.Errorf("there were %d connections", got)
	}
}

func TestEqualTargetsShareTheirConnections(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	h := hosts(t, remote.Options{})
	if one, two := h.Host(server.Target(2)), h.Host(server.Target(2)); one != two {
		t.Error("equal targets are two hosts")
	}
	other := server.Target(2)
	other.Credential = remote.Credential{Agent: true}
	third := server.Target(2)
	third.HostKeys = []string{"another"}
	if h.Host(other) == h.Host(server.Target(2)) || h.Host(third) == h.Host(server.Target(2)) {
		t.Error("another credential or key shares the connections")
	}
}

func TestMaxSessionsOneTakesAConnectionEach(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{MaxSessions: 1})
	host := hosts(t, remote.Options{}).Host(server.Target(2))
	var running []remote.Process
	for range 2 {
		p, err := host.Start(within(t), remote.Command{Line: "cat"})
		must(t, err)
		running = append(running, p)
	}
	if _, err := host.Start(within(t), remote.Command{Line: "cat"}); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("a third one: %v", err)
	}
	for range 5 { // one at a time there is room for more, again and again
		must(t, running[0].Close())
		p, err := host.Start(within(t), remote.Command{Line: "cat"})
		must(t, err)
		running[0] = p
	}
	for _, p := range running {
		must(t, p.Close())
	}
}

func TestWhatIsNotGrantedIsErrRefused(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{Subsystem: "none"})
	_, err := hosts(t, remote.Options{}).Host(server.Target(1)).Start(within(t), remote.Command{Subsystem: "sftp"})
	if !errors.Is(err, remote.ErrRefused) {
		t.Errorf("error is %v", err)
	}
}

func TestALostConnectionEndsReadsAndWritesAndIsReplaced(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 0)
	target := server.Target(1)
	target.Port = proxy.Port()
	for what, strike := range map[string]func(){"cut": proxy.Cut, "silent": proxy.Swallow, "killed": server.CutAll} {
		host := hosts(t, remote.Options{KeepAlive: 100 * time.Millisecond, Misses: 10, Grace: 100 * time.Millisecond}).Host(target)
		p, err := host.Start(within(t), remote.Command{Line: "sleep 30"})
		must(t, err)
		reading, writing := make(chan error), make(chan error)
		go func() {
			_, err := p.Read(make([]byte, 1))
			reading <- err
		}()
		go func() {
			for {
				if _, err := p.Write(make([]byte, 1<<20)); err != nil { // nobody reads it: it blocks
					writing <- err
					return
				}
			}
		}()
		strike()
		for _, ended := range []chan error{reading, writing} {
			if err := <-ended; failure.CodeOf(err) != failure.PortalUnreachable {
				t.Errorf("%s: error is %v", what, err)
			}
		}
		if err := p.Wait(); failure.CodeOf(err) != failure.PortalUnreachable {
			t.Errorf("%s: it ended with %v", what, err)
		}
		must(t, p.Close())
		proxy.Restore()
		again, err := host.Start(within(t), anything)
		must(t, err)
		must(t, again.Wait())
		must(t, again.Close())
	}
}

func TestCloseEndsAProgramWhateverItDoes(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	host := hosts(t, remote.Options{Grace: 200 * time.Millisecond}).Host(server.Target(1))
	for _, line := range []string{"sleep 30", "yes", "trap '' TERM HUP PIPE; for i in $(seq 300); do sleep 0.01; done", "cat"} {
		p, err := host.Start(within(t), remote.Command{Line: line})
		must(t, err)
		read := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, p)
			read <- err
		}()
		must(t, p.Close())
		if err := <-read; err == nil {
			t.Errorf("%s: its output ended as if it had", line)
		}
		must(t, p.Close())
	}

}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 0)
	target := server.Target(2)
	target.Port = proxy.Port()
	host := hosts(t, remote.Options{KeepAlive: 10 * time.Millisecond, Misses: 1000, Idle: 20 * time.Millisecond}).Host(target)
	p, err := host.Start(within(t), remote.Command{Line: "cat"})
	must(t, err)
	if proxy.Links() != 1 {
		t.Errorf("there are %d connections", proxy.Links())
	}
	must(t, p.Close())
	for proxy.Links() > 0 {
		time.Sleep(time.Millisecond)
	}
	p, err = host.Start(within(t), remote.Command{Line: "cat"})
	must(t, err)
	must(t, p.Close())
}

func TestClosedHostsStartNothing(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	h := remote.NewHosts(remote.Options{})
	host := h.Host(server.Target(1))
	p, err := host.Start(within(t), remote.Command{Line: "sleep 30"})
	must(t, err)
	h.Close()
	if err := p.Wait(); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("it ended with %v", err)
	}
	must(t, p.Close())
	if _, err := host.Start(within(t), anything); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
}
