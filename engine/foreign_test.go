package engine

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/transfer"
)

const ofSomebodyElse = "of somebody else"

// TestAManifestFromElsewhereRemovesNothingBesideTheSource: a resumed move removes its source by the manifest that lies at the
// destination, which another host may have written anew.
func TestAManifestFromElsewhereRemovesNothingBesideTheSource(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]transfer.Strategy{"direct": transfer.Direct, "archive": transfer.ZipFirst} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.small()
			b.write("from/folder, another", ofSomebodyElse)
			b.log.onEvent = func(e transfer.Event) error {
				if e.Kind == transfer.EventPublished {
					return errCrash
				}
				return nil
			}
			spec := b.spec("folder", transfer.Move, strategy)
			if _, err := b.run(t.Context(), spec); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			b.log.onEvent = nil
			b.write("to/folder, another", ofSomebodyElse) // else the proof fails already
			b.foist(spec, "folder, another")
			spec.Run, spec.Intent = b.newRun(), &b.log.intents[0]
			_, err := b.run(t.Context(), spec)
			b.must(err)
			b.gone(spec.Source)
			if _, err := os.Lstat(filepath.Join(b.from, "folder, another")); err != nil {
				t.Errorf("what is beside the source: %v", err)
			}
		})
	}
}

// foist adds a file beside the source, as it is, to the manifest that a run has left.
func (b *bench) foist(spec transfer.Spec, name string) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(spec.Destination, ".ketter-*.partial/manifest.jsonl"))
	if err != nil || len(found) != 1 {
		b.Fatal(found, err)
	}
	old, err := os.ReadFile(found[0])
	b.must(err)
	summary, err := manifest.Summarise(bytes.NewReader(old))
	b.must(err)
	var forged bytes.Buffer
	w, err := manifest.NewWriter(&forged, summary.Begin)
	b.must(err)
	dir, err := local.Open(b.from)
	b.must(err)
	defer dir.Close()
	info, err := dir.Lstat(name)
	b.must(err)
	record := manifest.Of(name, info)
	record.Hashed, record.Digest = true, xxhash.Sum64String(ofSomebodyElse)
	b.must(w.Add(record))
	for r := manifest.NewReader(bytes.NewReader(old)); ; {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		b.must(err)
		b.must(w.Add(record))
	}
	_, err = w.End(endpoint.Info{Device: summary.End.Device, Inode: summary.End.Inode})
	b.must(err)
	b.must(os.WriteFile(found[0], forged.Bytes(), 0o600))
}
