package zipfirst

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// done makes a folder of names that an earlier run has proven, and lists them in the manifest.
func (f *fixture) done(names ...string) {
	f.t.Helper()
	f.must(os.Mkdir(f.at("done"), 0o700))
	f.options.Done = open(f.t, f.at("done"))
	for _, name := range names {
		path := f.at("done/source/" + name)
		f.must(os.MkdirAll(filepath.Dir(path), 0o700))
		if raw, err := os.ReadFile(f.at("source/" + name)); err == nil {
			f.must(os.WriteFile(path, raw, 0o600))
		} else {
			target, err := os.Readlink(f.at("source/" + name))
			f.must(err)
			f.must(os.Symlink(target, path))
		}
		dir, at := open(f.t, filepath.Dir(f.at("source/"+name))), filepath.Base(name)
		info, err := dir.Lstat(at)
		f.must(err)
		out := open(f.t, filepath.Dir(path))
		if raw, err := out.Reopen(at); err == nil {
			f.must(raw.SetMode(info.Mode))
			f.must(raw.Close())
		}
		f.must(out.SetModTime(at, info.ModAt))
		f.must(f.sink.Add(manifest.Of("source/"+name, info)))
	}
}

func TestWhatAnEarlierRunHasProvenIsNotPackedAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	names := []string{"a.txt", "sound/empty", "sound/a\nb\t.wav", "folders/link", "large"}
	f.done(names...)
	f.packAndSeal()
	entries := f.zip()
	for _, name := range names {
		if entries["source/"+name] != nil {
			t.Errorf("%q was packed", name)
		}
	}
	if entries["source/folders/empty one/"] == nil || entries["source/middle"] == nil {
		t.Error("what is new wasn't packed")
	}
	f.must(f.unpack())
	f.same()
	if totals := f.sink.Totals(); totals.Files != 13 || totals.Folders != 4 {
		t.Errorf("recorded %+v", totals)
	}
}

func TestAResumedRunSeesNamesThatAreOneHere(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{
		"a file":         {"x", "X"},
		"a folder":       {"a/x", "A/y"},
		"in a folder":    {"b/x", "b/X"},
		"folders's file": {"a/x", "A/x"},
	} {
		f := setup(t)
		for _, name := range names {
			f.write(name, "content")
		}
		f.done(strings.ToLower(names[0]))
		f.options.Done = foldsCase{f.options.Done}
		if err := f.pack(); failure.CodeOf(err) != failure.NameConflict {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNewNamesThatAreOneHere: none of them is in what the earlier run has proven, and so they are packed.
func TestNewNamesThatAreOneHere(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{"files": {"x", "X"}, "folders": {"a/x", "A/y"}, "below": {"b/a/x", "b/A/y"}} {
		f := setup(t)
		f.write("b/done", "content")
		for _, name := range names {
			f.write(name, "content")
		}
		f.done("b/done")
		f.data, f.options.Done = foldsCase{f.data}, foldsCase{f.options.Done}
		f.packAndSeal()
		if err := f.unpack(); failure.CodeOf(err) != failure.NameConflict {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatIsGoneSinceAnEarlierRunIsTold(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.done("a.txt", "sound/empty")
	f.must(os.Remove(f.at("source/sound/empty")))
	if err := f.pack(); failure.CodeOf(err) != failure.SourceChanged {
		t.Error(err)
	}
}

// extract takes every record out of the archive, by itself.
func (f *fixture) extract(check bool) (failed map[string]error) {
	f.t.Helper()
	f.must(os.RemoveAll(f.at("out")))
	f.must(os.Mkdir(f.at("out"), 0o700))
	in, to := f.archive(), open(f.t, f.at("out"))
	failed = map[string]error{}
	for path, record := range f.records() {
		err := Extract(f.t.Context(), in, "archive.zip", record, to, filepath.Base(path), f.options, check)
		if err != nil {
			failed[path] = err
			if _, err := to.Lstat(filepath.Base(path)); !errors.Is(err, fs.ErrNotExist) {
				f.t.Errorf("%q failed, and was left", path)
			}
		}
	}
	return failed
}

func TestEachRecordIsExtractedFromAnUnsealedArchive(t *testing.T) {
	t.Parallel()
	for _, check := range []bool{false, true} {
		f := setup(t)
		f.sample()
		f.must(f.pack())
		failed := f.extract(check)
		if len(failed) != 4 { // the folders
			t.Errorf("%v", failed)
		}
		for path, record := range f.records() {
			if failed[path] != nil {
				continue
			}
			want, err := os.Lstat(f.at(path))
			f.must(err)
			got, err := os.Lstat(f.at("out/" + filepath.Base(path)))
			f.must(err)
			if got.Mode() != want.Mode() || !got.ModTime().Equal(want.ModTime()) {
				t.Errorf("%q is %v", path, got)
			}
			if contentOf(t, f.at(path), want) != contentOf(t, f.at("out/"+filepath.Base(path)), got) {
				t.Errorf("%q has other bytes, packed at %+v", path, record.Packed)
			}
		}
	}
}

func TestOtherBytesAreFoundWhenTheyAreLookedFor(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.must(f.pack())
	raw, err := os.ReadFile(f.at("archive.zip"))
	f.must(err)
	damaged := 0
	for path, record := range f.records() {
		if size := contentSize(&record); size > 0 {
			raw[record.Packed.Offset+headerLength(&record, record.Packed.Offset)+size/2] ^= 1
			damaged++
		}
		_ = path
	}
	f.must(os.WriteFile(f.at("archive.zip"), raw, 0o600))
	found := 0
	for path, err := range f.extract(true) {
		if failure.CodeOf(err) != failure.ArchiveError {
			t.Errorf("%q: %v", path, err)
		}
		if f.records()[path].Size > 0 || f.records()[path].Target != "" {
			found++
		}
	}
	if found != damaged {
		t.Errorf("%d of %d were found", found, damaged)
	}
}

func TestNothingIsExtractedFromAPartThatIsMissing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.must(f.pack())
	f.must(os.Truncate(f.at("archive.zip"), f.size/2))
	for path, record := range f.records() {
		if end := record.Packed.Offset + contentSize(&record); end > f.size/2 {
			if err := f.extract(true)[path]; failure.CodeOf(err) != failure.ArchiveError {
				t.Errorf("%q: %v", path, err)
			}
		}
	}
}

// TestAFileThatWasUnderWayHasNoHeader: its bytes are there, as it was killed, and nothing says that they are whole.
func TestAFileThatWasUnderWayHasNoHeader(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("large", strings.Repeat("large one ", 300_000))
	f.must(f.pack())
	record := f.records()["source/large"]
	f = setup(t)
	f.write("large", strings.Repeat("large one ", 300_000))
	var reads atomic.Int32
	err := f.packAs(&endpointtest.Hooks{Before: func(op endpointtest.Op, _ string) error {
		if op == endpointtest.Read && reads.Add(1) == 3 {
			return fs.ErrPermission
		}
		return nil
	}})
	if err == nil {
		t.Fatal("a failed read was not told")
	}
	in, to := f.archive(), open(t, f.at("data"))
	if err := Extract(t.Context(), in, "archive.zip", record, to, "large", f.options, false); failure.CodeOf(err) != failure.ArchiveError {
		t.Error(err)
	}
}
