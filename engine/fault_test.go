package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// small makes a tree that touches every kind of operation in few of them.
func (b *bench) small() {
	b.Helper()
	b.write("from/folder/a", "content")
	b.write("from/folder/sub/b", strings.Repeat("b", 100_000))
	b.must(os.Symlink("a", filepath.Join(b.from, "folder/link")))
	b.must(os.Chmod(filepath.Join(b.from, "folder/sub"), 0o555))
	b.age(filepath.Join(b.from, "folder"))
}

// failNth lets the nth operation fail, once, with errno; before it does what else a test wants.
type failNth struct {
	n, seen atomic.Int64
	errno   syscall.Errno
	path    string
	before  func(endpointtest.Op, string) error
}

func (f *failNth) hook(op endpointtest.Op, path string) error {
	if f.before != nil {
		if err := f.before(op, path); err != nil {
			return err
		}
	}
	if f.seen.Add(1) == f.n.Load() {
		f.path = string(op) + " " + path
		return f.errno
	}
	return nil
}

// TestAnyFailureLeavesSourceOrDestinationComplete fails every single operation on either side once: before the publish
// the destination is as it was and the source whole; after it the destination is complete, and another run ends in
// success. One file at a time, so that the nth operation is the same in each run.
func TestAnyFailureLeavesSourceOrDestinationComplete(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		for _, side := range []string{"source", "destination"} {
			for _, syncWhole := range []bool{true, false} {
				for n := int64(1); failOnce(t, near, mode, strategy, side, syncWhole, n); n++ {
				}
			}
		}
	})
}

// failOnce reports false when a run had fewer than n operations.
func failOnce(t *testing.T, over network, mode transfer.Mode, strategy transfer.Strategy, side string, syncWhole bool, n int64) bool {
	t.Helper()
	b := setup(t, func(o *Options) { o.Parallel = 1 })
	b.goOver(over)
	b.small()
	b.write("to/theirs", "keep")
	want := b.snapshot(filepath.Join(b.from, "folder"))
	b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
		c.SyncWhole = syncWhole
		return c
	}
	fault := failNth{errno: syscall.EIO}
	fault.n.Store(n)
	if side == "source" {
		b.source.Before = fault.hook
	} else {
		b.destination.Before = fault.hook
	}
	spec := b.spec("folder", mode, strategy)
	spec.Destination = filepath.Join(b.to, "made")
	_, err := b.run(t.Context(), spec)
	reached := fault.seen.Load() >= n
	fault.n.Store(0) // the next run has none
	if err == nil && reached && mode == transfer.Copy && !strings.HasPrefix(fault.path, "lstat") {
		// Nothing but the list of what may be swept is allowed to fail unnoticed.
		t.Errorf("%s %d (%s): no error", side, n, fault.path)
	}
	if _, gone := os.Lstat(spec.FinalPath()); err != nil && gone != nil {
		b.holds(b.to, "theirs")
		b.same(b.snapshot(spec.Source), want)
		return reached
	}
	b.finishes(spec, want, fault.path)
	return reached
}

// finishes runs a published job again, as its retry does.
func (b *bench) finishes(spec transfer.Spec, want, after string) {
	b.Helper()
	if len(b.log.intents) == 0 {
		b.Fatalf("after %s: published without an intent", after)
	}
	spec.Run, spec.Intent = b.newRun(), &b.log.intents[len(b.log.intents)-1]
	_, err := b.run(b.Context(), spec)
	if err != nil {
		b.Fatalf("after %s: the next run failed: %v", after, err)
	}
	b.same(b.snapshot(spec.FinalPath()), want)
	if spec.Mode == transfer.Move {
		b.gone(spec.Source)
	} else {
		b.same(b.snapshot(spec.Source), want)
	}
	b.must(b.engine.CleanUp(b.Context(), spec))
	b.holds(spec.Destination, "folder")
}

func TestAFailureHasTheCodeAndPathOfItsCause(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		side  string
		op    endpointtest.Op
		name  string
		errno syscall.Errno
		code  failure.Code
	}{
		"a full disk":             {"to", endpointtest.Write, "b", syscall.ENOSPC, failure.DestinationFull},
		"a quota":                 {"to", endpointtest.Create, "b", syscall.EDQUOT, failure.DestinationFull},
		"a full disk at the sync": {"to", endpointtest.SyncAll, "", syscall.ENOSPC, failure.DestinationFull},
		"no rights":               {"to", endpointtest.Mkdir, "", syscall.EACCES, failure.DestinationPermissionDenied},
		"read-only":               {"to", endpointtest.Mkdir, "", syscall.EROFS, failure.DestinationReadOnly},
		"a bad disk":              {"to", endpointtest.Write, "b", syscall.EIO, failure.IOError},
		"a bad disk, re-read":     {"to", endpointtest.Read, "b", syscall.EIO, failure.IOError},
		"a name that collides":    {"to", endpointtest.Create, "b", syscall.EEXIST, failure.NameConflict},
		"folders that collide":    {"to", endpointtest.Mkdir, "sub", syscall.EEXIST, failure.NameConflict},
		"a name too long":         {"to", endpointtest.Create, "b", syscall.ENAMETOOLONG, failure.NameConflict},
		"an unreadable file":      {"from", endpointtest.Open, "b", syscall.EACCES, failure.SourcePermissionDenied},
		"an unreadable folder":    {"from", endpointtest.OpenDir, "sub", syscall.EACCES, failure.SourcePermissionDenied},
		"a bad source":            {"from", endpointtest.Read, "b", syscall.EIO, failure.IOError},
		"a file that vanishes":    {"from", endpointtest.Open, "b", syscall.ENOENT, failure.SourceChanged},
		"the publish":             {"to", endpointtest.Rename, "folder", syscall.EACCES, failure.DestinationPermissionDenied},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.small()
			want := b.snapshot(b.from)
			hook := func(op endpointtest.Op, path string) error {
				if op == c.op && (c.name == "" || filepath.Base(path) == c.name) {
					return c.errno
				}
				return nil
			}
			hooks := map[string]*endpointtest.Hooks{"from": b.source, "to": b.destination}
			plan, err := b.engine.Plan(t.Context(), b.spec("folder", transfer.Copy, transfer.Direct))
			b.must(err)
			hooks[c.side].Before = hook
			_, err = b.runPlan(t.Context(), plan)
			f := b.fails(err, c.code)
			if !strings.HasPrefix(f.Path, filepath.Join(b.root, c.side)) || !strings.HasSuffix(f.Path, c.name) {
				t.Errorf("path is %s", f.Path)
			}
			b.holds(b.to)
			b.same(b.snapshot(b.from), want)
		})
	}
}

func TestALieOfTheStorageIsFoundAndNothingPublished(t *testing.T) {
	t.Parallel()
	staged := func(b *bench) string {
		found, err := filepath.Glob(filepath.Join(b.to, ".ketter-*/data/folder/sub/b"))
		b.must(err)
		if len(found) != 1 {
			b.Fatalf("staged: %q", found)
		}
		return found[0]
	}
	lies := map[string]func(b *bench){
		"a flipped byte": func(b *bench) {
			b.destination.AfterRead = func(path string, p []byte) {
				if filepath.Base(path) == "b" && len(p) > 0 {
					p[len(p)-1] ^= 1
				}
			}
		},
		"a flipped byte on the disk": func(b *bench) {
			b.atSync(func() {
				f, err := os.OpenFile(staged(b), os.O_WRONLY, 0)
				b.must(err)
				_, err = f.WriteAt([]byte{'x'}, 99_999)
				b.must(errors.Join(err, f.Close()))
			})
		},
		"a truncated file": func(b *bench) { b.atSync(func() { b.must(os.Truncate(staged(b), 99_999)) }) },
		"a grown file":     func(b *bench) { b.atSync(func() { b.must(os.Truncate(staged(b), 100_001)) }) },
		"a lost file":      func(b *bench) { b.atSync(func() { b.loseStaged(staged(b)) }) },
		"a file that became a link": func(b *bench) {
			b.atSync(func() { p := staged(b); b.loseStaged(p); b.must(os.Symlink("/etc/passwd", p)) })
		},
	}
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				b.small()
				want := b.snapshot(b.from)
				lie(b)
				_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
				f := b.fails(err, failure.VerifyMismatch)
				if f.Path != filepath.Join(b.to, "folder/sub/b") {
					t.Errorf("path is %s", f.Path)
				}
				b.holds(b.to)
				b.same(b.snapshot(b.from), want)
				if len(b.log.intents) > 0 {
					t.Error("the point of no return was passed")
				}
			})
		})
	}
}

// atSync does something to the staged tree when it is about to be made durable.
func (b *bench) atSync(do func()) {
	b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
		c.SyncWhole = true
		return c
	}
	b.destination.Before = func(op endpointtest.Op, _ string) error {
		if op == endpointtest.SyncAll {
			do()
		}
		return nil
	}
}

func (b *bench) loseStaged(path string) {
	b.must(os.Chmod(filepath.Dir(path), 0o700))
	b.must(os.Remove(path))
}

func TestACancelledRunIsSwept(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		for _, op := range []endpointtest.Op{endpointtest.Create, endpointtest.SetTime, endpointtest.SyncAll} {
			b := setup(t)
			b.sample("folder")
			want := b.snapshot(b.from)
			ctx, cancel := context.WithCancel(t.Context())
			plan, err := b.engine.Plan(ctx, b.spec("folder", mode, strategy))
			b.must(err)
			b.destination.Before = func(o endpointtest.Op, _ string) error {
				if o == op {
					cancel()
				}
				return nil
			}
			_, err = b.runPlan(ctx, plan)
			b.fails(err, failure.Cancelled)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v doesn't wrap context.Canceled", err)
			}
			b.holds(b.to)
			b.same(b.snapshot(b.from), want)
		}
	})
}

func TestAnObserverStopsARun(t *testing.T) {
	t.Parallel()
	stop := errors.New("the lease is lost")
	for _, when := range []transfer.EventKind{transfer.EventVerified, transfer.EventArchiveCreated, ""} {
		b := setup(t)
		b.small()
		b.log.onEvent = func(e transfer.Event) error {
			if e.Kind == when {
				return stop
			}
			return nil
		}
		if when == "" {
			b.log.beforePublish = func(transfer.Intent) error { return stop }
		}
		_, err := b.run(t.Context(), b.spec("folder", transfer.Move, transfer.ZipFirst))
		if !errors.Is(err, stop) {
			t.Errorf("stopped at %q: %v", when, err)
		}
		b.holds(b.to)
	}
}

func TestTooLittleSpaceFailsBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		space    endpoint.Space
		strategy transfer.Strategy
		code     failure.Code
	}{
		"one byte missing":        {endpoint.Space{Bytes: 100_006, Inodes: 99}, transfer.Direct, failure.DestinationFull},
		"just enough":             {endpoint.Space{Bytes: 100_007, Inodes: 99}, transfer.Direct, ""},
		"no room for the archive": {endpoint.Space{Bytes: 200_014, Inodes: 99}, transfer.ZipFirst, failure.DestinationFull},
		"room for the archive":    {endpoint.Space{Bytes: 202_000, Inodes: 99}, transfer.ZipFirst, ""},
		"one inode missing":       {endpoint.Space{Bytes: 1 << 40, Inodes: 7}, transfer.Direct, failure.DestinationFull},
		"just enough inodes":      {endpoint.Space{Bytes: 1 << 40, Inodes: 8}, transfer.Direct, ""},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.small()
			b.destination.Space = func(endpoint.Space) endpoint.Space { return c.space }
			spec := b.spec("folder", transfer.Copy, c.strategy)
			spec.Destination = filepath.Join(b.to, "new")
			_, err := b.run(t.Context(), spec)
			b.fails(err, c.code)
			if err != nil {
				b.holds(b.to)
				if !strings.Contains(err.Error(), "missing") {
					t.Errorf("it doesn't say how much is missing: %v", err)
				}
			}
		})
	}
}
