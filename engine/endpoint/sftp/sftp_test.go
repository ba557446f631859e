package sftp_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testsshd"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// hosts are few connections that are given up soon.
func hosts(t testing.TB) *remote.Hosts {
	t.Helper()
	h := remote.NewHosts(remote.Options{})
	t.Cleanup(h.Close)
	return h
}

// storage opens root on a host, over so many connections.
func storage(t testing.TB, target remote.Target, root string, options sftp.Options) *sftp.Storage {
	t.Helper()
	options.Connections = target.Connections
	s, err := sftp.Open(within(t), hosts(t).Host(target), root, options)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// top is the folder that a storage is of.
func top(t testing.TB, s *sftp.Storage) endpoint.Dir {
	t.Helper()
	place, err := s.Locate(s.Root())
	must(t, err)
	return place.Dir
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"internal-sftp", "/usr/lib/openssh/sftp-server"} {
		t.Run(server[max(0, len(server)-13):], func(t *testing.T) {
			t.Parallel()
			sshd := testsshd.Start(t, testsshd.Options{Subsystem: server})
			s := storage(t, sshd.Target(3), t.TempDir(), sftp.Options{})
			root := top(t, s)
			folders := make(chan int, 1)
			folders <- 0
			endpointtest.Run(t, func(t *testing.T) endpoint.Dir {
				n := <-folders
				folders <- n + 1
				name := fmt.Sprint(n)
				must(t, root.Mkdir(name, 0o700))
				dir, err := root.OpenDir(name)
				must(t, err)
				return dir
			}, endpointtest.LinkTimes)
		})
	}
}
