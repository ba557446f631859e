package zipfirst

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
)

// fixture is a folder with a tree called source, and what is made of it: archive.zip, and data with what was unpacked.
type fixture struct {
	t        testing.TB
	path     string
	dir      endpoint.Dir
	data     endpoint.Dir
	options  Options
	recorded bytes.Buffer
	sink     *manifest.Writer
	size     int64 // of the archive before it is sealed
}

func newFixture(t testing.TB, path string) *fixture {
	t.Helper()
	f := &fixture{t: t, path: path, dir: open(t, path)}
	f.must(os.Mkdir(f.at("data"), 0o700))
	f.data = open(t, f.at("data"))
	f.options = Options{Parallel: 4, Hash: true, Keep: staging.Keep{Modes: true}, Count: func(int64, int64) {}}
	var err error
	f.sink, err = manifest.NewWriter(&f.recorded, manifest.Begin{Archive: true})
	f.must(err)
	return f
}

func setup(t testing.TB) *fixture {
	t.Helper()
	path := t.TempDir()
	t.Cleanup(func() { openAll(path) })
	return newFixture(t, path)
}

// setupInMemory is setup for a tree of many files, where there is a file system in memory.
func setupInMemory(t testing.TB) *fixture {
	t.Helper()
	above, err := os.MkdirTemp("/dev/shm", "ketter-test-")
	if err != nil {
		return setup(t)
	}
	t.Cleanup(func() { _ = os.RemoveAll(above) })
	path := filepath.Join(above, "fixture") // nobody else makes anything beside it
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return newFixture(t, path)
}

func open(t testing.TB, path string) endpoint.Dir {
	t.Helper()
	dir, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// openAll lets everything be removed.
func openAll(dir string) {
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) at(name string) string { return filepath.Join(f.path, name) }

// write makes a file of the source, and the folders above it.
func (f *fixture) write(path, content string) {
	f.t.Helper()
	path = f.at("source/" + path)
	f.must(os.MkdirAll(filepath.Dir(path), 0o755))
	f.must(os.WriteFile(path, []byte(content), 0o644))
}

// root is that of the source, or of a file in it.
func (f *fixture) root() *tree.Root {
	f.t.Helper()
	folder := open(f.t, f.at("source"))
	info, err := folder.Info()
	f.must(err)
	return &tree.Root{Parent: f.dir, Folder: folder, Name: "source", Path: f.at("source"), Info: info}
}

func (f *fixture) pack() error {
	f.t.Helper()
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	defer out.Close()
	f.size, err = Pack(f.t.Context(), f.root(), out, f.at("archive.zip"), f.sink, f.options)
	if _, err := f.sink.Lines(); err != nil {
		f.t.Fatal(err)
	}
	return err
}

func (f *fixture) seal() {
	f.t.Helper()
	out, err := f.dir.Reopen("archive.zip")
	f.must(err)
	defer out.Close()
	f.must(Seal(f.t.Context(), bytes.NewReader(f.recorded.Bytes()), out, f.size, f.at("archive.zip")))
}

func (f *fixture) packAndSeal() {
	f.t.Helper()
	f.must(f.pack())
	f.seal()
}

func (f *fixture) archive() endpoint.Reader {
	f.t.Helper()
	in, err := f.dir.Open("archive.zip")
	f.must(err)
	f.t.Cleanup(func() { in.Close() })
	return in
}

func (f *fixture) unpack() error {
	f.t.Helper()
	in := f.archive()
	defer in.Close()
	return Unpack(f.t.Context(), Archive{Reader: in, Path: f.at("archive.zip"), Manifest: f.manifest}, f.data, f.options)
}

func (f *fixture) manifest() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.recorded.Bytes())), nil
}

// records are those of the manifest, by their paths.
func (f *fixture) records() map[string]manifest.Record {
	f.t.Helper()
	all := map[string]manifest.Record{}
	in := manifest.NewReader(bytes.NewReader(f.recorded.Bytes()))
	for {
		record, err := in.Next()
		if err != nil {
			return all
		}
		all[record.Path] = record
	}
}

// remove makes place for the next one.
func (f *fixture) remove() {
	f.data.Close()
	f.dir.Close()
	f.must(os.RemoveAll(f.at("data")))
	f.must(os.Remove(f.at("archive.zip")))
}

// zip is the archive as the standard library reads it.
func (f *fixture) zip() map[string]*zip.File {
	f.t.Helper()
	r, err := zip.OpenReader(f.at("archive.zip"))
	f.must(err)
	f.t.Cleanup(func() { _ = r.Close() })
	all := map[string]*zip.File{}
	for _, file := range r.File {
		all[file.Name] = file
	}
	if len(all) != len(r.File) {
		f.t.Errorf("%d entries have %d names", len(r.File), len(all))
	}
	return all
}

// same makes sure that what was unpacked is the source, but for the mode and time of the top folder.
func (f *fixture) same() {
	f.t.Helper()
	want, got := f.tree("source"), f.tree("data/source")
	for path, w := range want {
		if g, ok := got[path]; !ok || g != w {
			f.t.Errorf("%.200q is %.300q, want %.300q", path, g, w)
		}
	}
	if len(got) != len(want) {
		f.t.Errorf("%d names, want %d", len(got), len(want))
	}
}

// tree describes every name below a folder.
func (f *fixture) tree(top string) map[string]string {
	f.t.Helper()
	all := map[string]string{}
	root, err := os.OpenRoot(f.at(top))
	f.must(err)
	defer func() { _ = root.Close() }()
	f.must(fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular() && info.Size() < 8<<20:
			raw, _ := root.ReadFile(path)
			content = string(raw)
		case info.Mode()&fs.ModeSymlink != 0:
			content, _ = root.Readlink(path)
		}
		all[path] = info.Mode().String() + " " + info.ModTime().String() + " " + content
		return nil
	}))
	return all
}

// sample makes a source of all kinds of names.
func (f *fixture) sample() {
	f.t.Helper()
	f.write("a.txt", "some text")
	f.write("sound/\xff\xfe.wav", "not UTF-8")
	f.write("sound/“é”.wav", "UTF-8")
	f.write("sound/a\nb\t.wav", "newline")
	f.write("sound/"+strings.Repeat("x", 255), "long")
	f.write("sound/empty", "")
	f.write(`..\..\name`, "a backslash is a byte like any other")
	f.write("middle", strings.Repeat("middle", 20_000))
	f.write("megabyte", strings.Repeat("1 MiB of", 1<<17))
	f.write("large", strings.Repeat("large one ", 300_000))
	f.write("odd", strings.Repeat("o", alignedFrom-1))
	f.must(os.MkdirAll(f.at("source/folders/empty one"), 0o755))
	f.must(os.Symlink("../nowhere", f.at("source/folders/link")))
	f.must(os.Symlink("\xc3(", f.at("source/folders/raw link")))
	f.must(os.Chmod(f.at("source/a.txt"), 0o4711))
	when := time.Unix(1_600_000_000, 123456789)
	f.must(os.Chtimes(f.at("source/a.txt"), when, when))
	f.must(os.Chtimes(f.at("source/middle"), when, time.Unix(-1000, 5)))
	f.must(os.Chtimes(f.at("source/odd"), when, time.Unix(1<<33, 0)))
	f.must(os.Chmod(f.at("source/folders"), 0o555))
	f.must(os.Chtimes(f.at("source/folders"), when, when))
}
