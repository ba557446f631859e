package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/transfer"
)

// TestWhatARecorderHasReservedArrives has a file whose end was reserved and never written: it takes all its space, and yet
// the system calls its end a hole.
func TestWhatARecorderHasReservedArrives(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		for _, verify := range []transfer.Verify{transfer.Checksum, transfer.None} {
			b := setup(t)
			f, err := os.Create(filepath.Join(b.from, "take"))
			b.must(err)
			if err := unix.Fallocate(int(f.Fd()), 0, 0, 16<<20); err != nil {
				t.Skipf("nothing can be reserved here: %v", err)
			}
			_, err = f.WriteAt(make([]byte, 9<<20), 0)
			b.must(errors.Join(err, f.Close()))
			want := b.snapshot(filepath.Join(b.from, "take"))
			b.destination.Before = noRange(func(endpointtest.Op, string) error { return nil })
			spec := b.spec("take", transfer.Move, strategy)
			spec.Verify = verify
			_, err = b.run(t.Context(), spec)
			b.must(err)
			b.same(b.snapshot(spec.FinalPath()), want)
		}
	}
}
