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

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// TestASweepThatIsCutShortIsNoPublish lets a run fail after all was staged, and die at each removal of its sweep.
func TestASweepThatIsCutShortIsNoPublish(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		for n := int64(1); sweepDiesAt(t, strategy, n); n++ {
		}
	}
}

// sweepDiesAt reports false when the sweep had fewer than n removals.
func sweepDiesAt(t *testing.T, strategy transfer.Strategy, n int64) bool {
	t.Helper()
	b := setup(t, func(o *Options) { o.Parallel = 1 })
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	var removals atomic.Int64
	var failed atomic.Bool
	b.log.beforePublish = func(transfer.Intent) error {
		failed.Store(true)
		return failure.New(failure.Cancelled, "", "A cancel was requested")
	}
	b.destination.Before = func(op endpointtest.Op, _ string) error {
		removes := op == endpointtest.Remove || op == endpointtest.RemoveDir
		if failed.Load() && removes && removals.Add(1) >= n {
			return syscall.EIO
		}
		return nil
	}
	spec := b.spec("folder", transfer.Move, strategy)
	_, err := b.run(t.Context(), spec)
	b.fails(err, failure.Cancelled)
	died := removals.Load() >= n
	b.log.beforePublish, b.destination.Before = nil, nil
	spec.Run = b.newRun()
	if _, err := b.run(t.Context(), spec); err != nil {
		t.Fatalf("%s: dead at removal %d: the next run failed: %v", strategy, n, err)
	}
	b.same(b.snapshot(spec.FinalPath()), want)
	b.must(b.engine.CleanUp(t.Context(), spec))
	b.holds(b.to, "folder")
	return died
}

func TestACopyWhoseResultWasTakenAwayIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		b := setup(t)
		b.small()
		want := b.snapshot(filepath.Join(b.from, "folder"))
		b.log.onEvent = func(e transfer.Event) error {
			if e.Kind == transfer.EventPublished {
				return errCrash
			}
			return nil
		}
		spec := b.spec("folder", transfer.Copy, strategy)
		_, err := b.run(t.Context(), spec)
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		b.log.onEvent = nil
		b.must(os.Rename(spec.FinalPath(), filepath.Join(b.root, "taken")))
		_, err = b.run(t.Context(), b.again(spec))
		b.must(err)
		b.same(b.snapshot(spec.FinalPath()), want)
		b.must(b.engine.CleanUp(t.Context(), spec))
		b.holds(b.to, "folder")
	}
}

// TestNamesOfAFileThatWereNotHashedAreNotTakenOver has an earlier run without checksums, of which a byte is altered.
func TestNamesOfAFileThatWereNotHashedAreNotTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("from/folder/a", strings.Repeat("A", 1<<20))
	b.must(os.Link(filepath.Join(b.from, "folder/a"), filepath.Join(b.from, "folder/b")))
	b.write("from/folder/c", "c")
	b.age(filepath.Join(b.from, "folder"))
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	spec.Verify = transfer.Size
	spec.Resumes = func(error) bool { return true }
	b.log.beforePublish = func(transfer.Intent) error { return errCrash }
	if _, err := b.run(t.Context(), spec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	staged, err := filepath.Glob(filepath.Join(b.to, ".ketter-*/data/folder/a"))
	b.must(err)
	info, err := os.Stat(staged[0])
	b.must(err)
	f, err := os.OpenFile(staged[0], os.O_WRONLY, 0)
	b.must(err)
	_, err = f.WriteAt([]byte("X"), 100)
	b.must(errors.Join(err, f.Close(), setTime(staged[0], info.ModTime())))

	b.log.beforePublish = nil
	spec = b.again(spec)
	spec.Verify = transfer.Checksum
	_, err = b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
}

// TestAFileThatChangesBetweenItsNamesHasChanged writes to a file with two names once it is copied under one.
func TestAFileThatChangesBetweenItsNamesHasChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Parallel = 1 })
	b.write("from/folder/a", "aaa")
	b.must(os.Link(filepath.Join(b.from, "folder/a"), filepath.Join(b.from, "folder/b")))
	b.age(filepath.Join(b.from, "folder"))
	var once atomic.Bool
	b.destination.Before = func(op endpointtest.Op, path string) error {
		if op == endpointtest.Link && strings.Contains(path, "/data/") && once.CompareAndSwap(false, true) {
			return os.WriteFile(filepath.Join(b.from, "folder/a"), []byte("BBB"), 0o600)
		}
		return nil
	}
	_, err := b.run(t.Context(), b.spec("folder", transfer.Copy, transfer.Direct))
	b.fails(err, failure.SourceChanged)
	if !once.Load() {
		t.Error("nothing was linked")
	}
	b.holds(b.to)
}

// TestAMoveGoesOnOnlyFromWhatIsStillThere has a move killed once it is published, and its result altered by then in a way
// that keeps what has the final name.
func TestAMoveGoesOnOnlyFromWhatIsStillThere(t *testing.T) {
	t.Parallel()
	alter := map[string]func(b *bench, final string){
		"emptied": func(b *bench, final string) { b.must(os.RemoveAll(filepath.Join(final, "sub"))) },
		"a file cut off": func(b *bench, final string) {
			b.must(os.Truncate(filepath.Join(final, "a"), 1))
		},
		"a byte of a file": func(b *bench, final string) { b.write("to/folder/a", "CONTENT") },
	}
	for what, do := range alter {
		for _, mode := range modes {
			t.Run(what+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.small()
				b.must(os.Chmod(filepath.Join(b.from, "folder/sub"), 0o755))
				b.log.onEvent = func(e transfer.Event) error {
					if e.Kind == transfer.EventPublished {
						return errCrash
					}
					return nil
				}
				spec := b.spec("folder", mode, transfer.Direct)
				if _, err := b.run(t.Context(), spec); !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				b.log.onEvent = nil
				want := b.snapshot(spec.Source)
				do(b, spec.FinalPath())
				_, err := b.run(t.Context(), b.again(spec))
				code := failure.DestinationExists
				if mode == transfer.Move {
					code = failure.SourceNotRemoved
				}
				b.fails(err, code)
				b.same(b.snapshot(spec.Source), want)
			})
		}
	}
}

func TestAMoveKeepsItsSourceWhenItsDestinationWasMovedAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acrossFileSystems()
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	b.log.beforePublish = func(transfer.Intent) error {
		return errors.Join(os.Rename(b.to, b.to+".old"), os.Mkdir(b.to, 0o755))
	}
	_, err := b.run(t.Context(), b.spec("folder", transfer.Move, transfer.Auto))
	b.fails(err, failure.SourceNotRemoved)
	b.same(b.snapshot(filepath.Join(b.from, "folder")), want)
	b.same(b.snapshot(filepath.Join(b.to+".old", "folder")), want)
}

// TestACopyIsNoSuccessWhenItsDestinationWasMovedAway has it moved before the publish, when nothing is published any more, and
// in the middle of it.
func TestACopyIsNoSuccessWhenItsDestinationWasMovedAway(t *testing.T) {
	t.Parallel()
	for _, published := range []bool{false, true} {
		b := setup(t)
		b.small()
		want := b.snapshot(filepath.Join(b.from, "folder"))
		moveAway := func() error { return errors.Join(os.Rename(b.to, b.to+".old"), os.Mkdir(b.to, 0o755)) }
		if published {
			b.log.beforePublish = func(transfer.Intent) error { return moveAway() }
		} else {
			b.log.onEvent = func(e transfer.Event) error {
				if e.Kind == transfer.EventVerified {
					return moveAway()
				}
				return nil
			}
		}
		_, err := b.run(t.Context(), b.spec("folder", transfer.Copy, transfer.Auto))
		f := b.fails(err, failure.DestinationNotFound)
		if !strings.Contains(f.Message, "moved away") || f.Code.Class() != failure.Permanent {
			t.Errorf("it says %q", f.Message)
		}
		b.same(b.snapshot(filepath.Join(b.from, "folder")), want)
		if published {
			b.same(b.snapshot(filepath.Join(b.to+".old", "folder")), want)
		} else {
			b.holds(b.to + ".old")
		}
	}
}

func TestAStopWhileTheSourceIsRemovedSaysWhereTheRestIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acrossFileSystems()
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	ctx, stop := context.WithCancel(t.Context())
	next := b.source.Before
	b.source.Before = func(op endpointtest.Op, path string) error {
		if op == endpointtest.Remove {
			stop()
		}
		return next(op, path)
	}
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	_, err := b.run(ctx, spec)
	f := b.fails(err, failure.SourceNotRemoved)
	if !strings.Contains(f.Message, spec.FinalPath()) || !errors.Is(err, context.Canceled) {
		t.Errorf("it says %q (%v)", f.Message, err)
	}
	b.source.Before = next
	_, err = b.run(t.Context(), b.again(spec))
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	b.gone(spec.Source)
}
