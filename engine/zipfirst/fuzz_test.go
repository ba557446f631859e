package zipfirst

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// packed is a small archive with its manifest and what is in it.
func packed(t testing.TB) (archive, recorded []byte, tree map[string]string) {
	t.Helper()
	f := setup(t)
	f.write("a.txt", "some text")
	f.write("b/\xff\n", "")
	f.write("b/c/aligned", string(make([]byte, alignedFrom)))
	f.must(os.Mkdir(f.at("source/b/empty"), 0o755))
	f.must(os.Symlink("../..", f.at("source/b/link")))
	f.packAndSeal()
	archive, err := os.ReadFile(f.at("archive.zip"))
	f.must(err)
	return archive, f.recorded.Bytes(), f.tree("source")
}

// FuzzUnpack unpacks any archive by a manifest that is what Pack wrote: either it fails, or every name is what it was, and
// so is every byte that Extract says so of.
func FuzzUnpack(f *testing.F) {
	archive, recorded, tree := packed(f)
	f.Add(archive, 0, byte(0))
	for i := range 12 {
		f.Add(archive, len(archive)*i/12, byte(1))
	}
	f.Add(archive[:len(archive)/2], 40, byte(255))
	f.Fuzz(func(t *testing.T, raw []byte, at int, flip byte) {
		raw = bytes.Clone(raw)
		if at >= 0 && at < len(raw) {
			raw[at] ^= flip
		}
		g := setupInMemory(t)
		g.recorded.Write(recorded)
		g.must(os.WriteFile(g.at("archive.zip"), raw, 0o600))
		err := g.unpack()
		g.staysWithin()
		switch {
		case err != nil && failure.CodeOf(err) != failure.ArchiveError:
			t.Errorf("%v", err)
		case err == nil && len(g.tree("data/source")) != len(tree):
			t.Errorf("it holds %v", g.tree("data/source"))
		}
		failed := g.extract(true)
		out := g.tree("out")
		for path, record := range g.records() {
			if record.Packed == nil || failed[path] != nil {
				continue
			}
			name := path[len("source/"):]
			if got := out[filepath.Base(name)]; got != tree[name] {
				t.Errorf("%q is %.200q, want %.200q", path, got, tree[name])
			}
		}
	})
}

// FuzzUnpackBy unpacks an archive that is whole by any manifest.
func FuzzUnpackBy(f *testing.F) {
	archive, recorded, _ := packed(f)
	f.Add(recorded)
	f.Add(bytes.ReplaceAll(recorded, []byte("source/b"), []byte("../../b")))
	f.Add(bytes.ReplaceAll(recorded, []byte(`"folder"`), []byte(`"symlink"`)))
	f.Add(bytes.ReplaceAll(recorded, []byte(`"offset":`), []byte(`"offset":99999999999999`)))
	f.Add(bytes.ReplaceAll(recorded, []byte(`"size":`), []byte(`"size":99999999999999`)))
	f.Fuzz(func(t *testing.T, recorded []byte) {
		g := setupInMemory(t)
		g.recorded.Write(recorded)
		g.must(os.WriteFile(g.at("archive.zip"), archive, 0o600))
		_ = g.unpack()
		g.staysWithin()
		for _, record := range g.records() {
			checkLengths(t, record)
		}
	})
}

// checkLengths makes sure that a header is as long as it is said to be.
func checkLengths(t *testing.T, r manifest.Record) {
	t.Helper()
	for _, at := range []int64{0, 1, 4095, 4096, 1 << 40} {
		header := appendLocal(nil, &r, at, true)
		if int64(len(header)) != headerLength(&r, at) || saysHoles(header, &r) != aligned(&r) {
			t.Errorf("the header of %+v is %d bytes long, not %d", r, len(header), headerLength(&r, at))
		}
	}
}
