package engine

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/transfer"
)

// TestACrashAtAnyMomentIsMendedByTheNextRun lets a run die at each of its operations: from then on it can do nothing any
// more, not even sweep. Source or destination is complete at that moment, and the next run of the job ends in success and
// leaves nothing behind.
func TestACrashAtAnyMomentIsMendedByTheNextRun(t *testing.T) {
	t.Parallel()
	for _, strategy := range append(strategies, transfer.Auto) {
		for _, mode := range modes {
			t.Run(string(mode)+" "+string(strategy), func(t *testing.T) {
				t.Parallel()
				for n := int64(1); crashAt(t, near, mode, strategy, n); n++ {
				}
			})
		}
	}
}

// crashAt reports false when a run had fewer than n operations.
func crashAt(t *testing.T, over network, mode transfer.Mode, strategy transfer.Strategy, n int64) bool {
	t.Helper()
	b := setup(t, func(o *Options) { o.Parallel = 1 })
	b.goOver(over)
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	var seen atomic.Int64
	var alive atomic.Bool
	die := func(endpointtest.Op, string) error {
		if seen.Add(1) >= n && !alive.Load() {
			return syscall.EIO
		}
		return nil
	}
	b.source.Before, b.destination.Before = die, die
	spec := b.spec("folder", mode, strategy)
	_, err := b.run(t.Context(), spec)
	if err == nil {
		if seen.Load() >= n {
			t.Errorf("dead at operation %d, and no error", n)
		}
		return false
	}
	alive.Store(true)
	if _, gone := os.Lstat(spec.FinalPath()); gone != nil {
		b.same(b.snapshot(spec.Source), want)
	}
	spec.Run = b.newRun()
	if i := len(b.log.intents); i > 0 {
		spec.Intent = &b.log.intents[i-1]
	}
	if _, err := b.run(t.Context(), spec); err != nil {
		t.Fatalf("dead at operation %d: the next run failed: %v", n, err)
	}
	b.same(b.snapshot(spec.FinalPath()), want)
	if mode == transfer.Copy {
		b.same(b.snapshot(spec.Source), want)
	} else {
		b.gone(spec.Source)
	}
	b.must(b.engine.CleanUp(t.Context(), spec))
	b.holds(b.to, "folder")
	return true
}
