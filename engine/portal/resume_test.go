package portal

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
)

func TestWhatIsProvenThereIsNotSentAgain(t *testing.T) {
	t.Parallel()
	const files, size, margin = 120, 1 << 20, 40 << 20 // what was under way, and not yet recorded
	each(t, func(t *testing.T, w way, strategy transfer.Strategy, upload bool) {
		b := setup(t, w)
		p := b.network(0)
		spec := b.spec(transfer.Copy, strategy, upload)
		source, destination := b.folders(spec)
		for i := range files {
			b.write(filepath.Join(source, fmt.Sprint(i%3), fmt.Sprint(i)), strings.Repeat("x", size))
		}
		b.age(source)
		spec.Resumes = func(error) bool { return true }
		ctx, cancel := context.WithCancel(t.Context())
		struck := b.midway(p, 80*size, cancel)
		_, err := b.run(ctx, spec)
		if !struck() || err == nil {
			t.Fatal("the transfer was done before anything could happen")
		}
		before := p.Up.Load() + p.Down.Load()
		spec.Run.Token = "t2"
		_, err = b.run(t.Context(), spec)
		b.must(err)
		after := p.Up.Load() + p.Down.Load() - before
		t.Logf("%d MiB of %d went over the network before, %d MiB after", before>>20, files, after>>20)
		if b.verifiesOverWire(w, upload) {
			after -= files * size
		}
		if w.via == "sftp" && w.sshd.Command == "" && strategy == transfer.ZipFirst && !upload {
			b.must(b.engine.CleanUp(t.Context(), spec))
			return // it comes by one tar for many files, of which nothing is kept that is cut short
		}
		if before+after > files*size+margin {
			t.Errorf("%d MiB were sent again", (before+after-files*size)>>20)
		}
		if b.snapshot(source) != b.snapshot(destination) {
			t.Error("what arrived is not what left")
		}
		b.must(b.engine.CleanUp(t.Context(), spec))
		b.nothingLeft()
	})
}

// verifiesOverWire reports whether what was sent is read again over the network.
func (b *bench) verifiesOverWire(w way, upload bool) bool { return upload && !w.agent }
