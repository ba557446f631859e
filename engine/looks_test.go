package engine

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/transfer"
)

// TestAPublishBetweenTheTwoLooksIsRecognised: over a network what has the final name and what earlier runs have left are asked
// for at once, so that the first answer may be older than the publish that the second one tells of.
func TestAPublishBetweenTheTwoLooksIsRecognised(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.small()
		want := b.snapshot(filepath.Join(b.from, "folder"))
		b.log.onEvent = func(e transfer.Event) error {
			if e.Kind == transfer.EventPublished {
				return errCrash
			}
			return nil
		}
		spec := b.spec("folder", mode, strategy)
		if _, err := b.run(t.Context(), spec); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		b.log.onEvent = nil
		var looked atomic.Bool
		b.destination.Before = func(op endpointtest.Op, path string) error {
			if op == endpointtest.Lstat && path == spec.FinalPath() && looked.CompareAndSwap(false, true) {
				return syscall.ENOENT // it wasn't there yet
			}
			return nil
		}
		b.finishes(spec, want, "a publish between the looks")
	})
}
