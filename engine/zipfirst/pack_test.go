package zipfirst

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
)

func TestTheArchiveIsAZipLikeAnyOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.packAndSeal()
	entries := f.zip()
	names := 0
	f.must(filepath.WalkDir(f.at("source"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		names++
		info, err := d.Info()
		f.must(err)
		name := strings.TrimPrefix(path, f.path+"/")
		if d.IsDir() {
			name += "/"
		}
		entry := entries[name]
		if entry == nil {
			t.Errorf("%q is missing", name)
			return nil
		}
		if entry.Mode() != info.Mode() || entry.Method != zip.Store {
			t.Errorf("%q: mode %v, want %v; method %d", name, entry.Mode(), info.Mode(), entry.Method)
		}
		if sent := info.ModTime().Unix(); sent >= 0 && sent < 1<<31 && entry.Modified.Unix() != sent {
			t.Errorf("%q: time %v, want %v", name, entry.Modified, info.ModTime())
		}
		if got, want := content(t, entry), contentOf(t, path, info); got != want {
			t.Errorf("%q holds %.100q, want %.100q", name, got, want)
		}
		return nil
	}))
	if names != len(entries) {
		t.Errorf("%d entries, want %d", len(entries), names)
	}
}

func content(t *testing.T, entry *zip.File) string {
	t.Helper()
	in, err := entry.Open()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		t.Errorf("%q: %v", entry.Name, err)
	}
	return string(raw)
}

func contentOf(t *testing.T, path string, info fs.FileInfo) string {
	t.Helper()
	var raw []byte
	var err error
	var target string
	switch {
	case info.Mode().IsRegular():
		raw, err = os.ReadFile(path)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err = os.Readlink(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + target
}

func TestInfoZIPAcceptsTheArchive(t *testing.T) {
	t.Parallel()
	unzip, err := exec.LookPath("unzip")
	if err != nil {
		t.Skip("there is no unzip here")
	}
	f := setup(t)
	f.sample()
	f.packAndSeal()
	if out, err := exec.CommandContext(t.Context(), unzip, "-tqq", f.at("archive.zip")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), unzip, "-q", f.at("archive.zip"), "-d", f.at("data")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	// In a UTF-8 locale unzip alters names that are none, in archives of its own too.
	for _, name := range []string{"sound/“é”.wav", "folders/empty one", "a.txt", "large"} {
		want, err := os.Lstat(f.at("source/" + name))
		f.must(err)
		got, err := os.Lstat(f.at("data/source/" + name))
		if err != nil || got.ModTime().Unix() != want.ModTime().Unix() || got.Mode().Perm() != want.Mode().Perm() {
			t.Errorf("%q is %v, want %v; %v", name, got, want, err)
		}
	}
	if target, err := os.Readlink(f.at("data/source/folders/link")); target != "../nowhere" {
		t.Errorf("the link leads to %q: %v", target, err)
	}
}

func TestBytesThatCanBeSharedBeginAtABlock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.packAndSeal()
	for name, entry := range f.zip() {
		offset, err := entry.DataOffset()
		f.must(err)
		if entry.UncompressedSize64 >= alignedFrom && offset%alignment != 0 {
			t.Errorf("%q begins at %d", name, offset)
		}
	}
}

func TestAFileAloneIsPacked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("alone", "content")
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	root := f.root()
	root.Parent, root.Folder, root.Name = root.Folder, nil, "alone"
	f.size, err = Pack(t.Context(), root, out, "archive.zip", f.sink, f.options)
	f.must(err)
	f.must(out.Close())
	_, err = f.sink.Lines()
	f.must(err)
	f.seal()
	if got := content(t, f.zip()["alone"]); got != "content" {
		t.Errorf("the archive holds %q", got)
	}
	f.must(f.unpack())
	if raw, err := os.ReadFile(f.at("data/alone")); string(raw) != "content" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestARecordComesAfterThoseOfAllItHolds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	for i := range 300 {
		f.write(strings.Repeat("deep/", i%7)+string(rune('a'+i%26))+"/file"+strings.Repeat("x", i%200), "x")
	}
	f.must(f.pack())
	seen := map[string]bool{}
	for raw := range strings.Lines(f.recorded.String()) {
		for folder := range seen {
			if strings.Contains(raw, `"path":"`+folder+`/`) {
				t.Errorf("after %s: %s", folder, raw)
			}
		}
		if strings.Contains(raw, `"type":"folder"`) {
			path, _, _ := strings.Cut(strings.TrimPrefix(raw, `{"path":"`), `"`)
			seen[path] = true
		}
	}
	if !seen["source"] {
		t.Error("the top folder wasn't recorded")
	}
}

func TestAFolderThatChangesWhileItIsPackedIsTold(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(path string) error{
		"removed": os.Remove,
		"a new name": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "new"), nil, 0o600)
		},
	} {
		for _, name := range []string{"a.txt", "megabyte", "large"} {
			f := setup(t)
			f.sample()
			err := f.packAs(&endpointtest.Hooks{Before: func(op endpointtest.Op, path string) error {
				if op == endpointtest.Open && filepath.Base(path) == name {
					return change(path)
				}
				return nil
			}})
			if failure.CodeOf(err) != failure.SourceChanged {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
}

// packAs packs a source that does something else.
func (f *fixture) packAs(hooks *endpointtest.Hooks) error {
	f.t.Helper()
	root := f.root()
	root.Folder = endpointtest.Wrap(root.Folder, hooks)
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	_, err = Pack(f.t.Context(), root, out, "archive.zip", f.sink, f.options)
	f.must(out.Close())
	return err
}

func TestAFileThatChangesWhileItIsReadIsTold(t *testing.T) {
	t.Parallel()
	for what, size := range map[string]int64{"shorter": 3, "longer": 5 << 20} {
		for _, name := range []string{"a.txt", "megabyte", "large"} {
			f := setup(t)
			f.sample()
			err := f.packAs(&endpointtest.Hooks{Before: func(op endpointtest.Op, path string) error {
				if op == endpointtest.Read && filepath.Base(path) == name {
					return os.Truncate(path, size)
				}
				return nil
			}})
			if failure.CodeOf(err) != failure.SourceChanged {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
}

func TestAPathThatNoZipCanHoldIsToldBeforeItIsPacked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("file", "x")
	root := f.root()
	root.Name = strings.Repeat("n", longName)
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	_, err = Pack(t.Context(), root, out, "archive.zip", f.sink, f.options)
	f.must(out.Close())
	if failure.CodeOf(err) != failure.ArchiveError || !strings.Contains(failure.From(err).Advice(), "DIRECT") {
		t.Errorf("%.200v", err)
	}
}

func TestAStorageThatFailsEndsThePack(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 3, 6} {
		f := setup(t)
		f.sample()
		writes := make(chan int, 1)
		writes <- 0
		dir := endpointtest.Wrap(f.dir, &endpointtest.Hooks{Before: func(op endpointtest.Op, _ string) error {
			if op != endpointtest.Write {
				return nil
			}
			n := <-writes + 1
			writes <- n
			if n == at {
				return fs.ErrPermission
			}
			return nil
		}})
		out, err := dir.Create("archive.zip", 0o600)
		f.must(err)
		if _, err = Pack(t.Context(), f.root(), out, "archive.zip", f.sink, f.options); err == nil {
			t.Errorf("write %d failed, and nothing was said", at)
		}
		f.must(out.Close())
	}
}

func TestACancelledPackEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	ctx, cancel := contextThatEnds(t)
	f.options.Count = func(int64, int64) { cancel() }
	_, err = Pack(ctx, f.root(), out, "archive.zip", f.sink, f.options)
	f.must(out.Close())
	if failure.CodeOf(err) != failure.Cancelled {
		t.Error(err)
	}
}
