package zipfirst

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/staging"
)

func contextThatEnds(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func TestWhatIsUnpackedIsWhatWasPacked(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"by the storage", "by hand", "one at a time"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.sample()
			switch how {
			case "by hand":
				f.data = endpointtest.Wrap(f.data, &endpointtest.Hooks{Before: func(op endpointtest.Op, _ string) error {
					if op == endpointtest.CopyFrom {
						return errors.ErrUnsupported
					}
					return nil
				}})
			case "one at a time":
				f.options.Parallel = 1
			}
			f.packAndSeal()
			f.must(f.unpack())
			f.same()
		})
	}
}

// shortCopy copies less than it is asked for, and then nothing more, as some network file systems do.
type shortCopy struct {
	endpoint.Writer
	calls int
}

func (w *shortCopy) CopyFrom(at int64, src endpoint.Reader, from, limit int64) (int64, error) {
	if w.calls++; w.calls > 1 {
		return 0, nil
	}
	return w.Writer.CopyFrom(at, src, from, min(limit, 70_000))
}

type shortCopies struct{ endpoint.Dir }

func (d shortCopies) Create(name string, mode uint32) (endpoint.Writer, error) {
	w, err := d.Dir.Create(name, mode)
	return &shortCopy{Writer: w}, err
}

func (d shortCopies) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	return shortCopies{dir}, err
}

func TestAStorageThatCopiesShortIsHelped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.data = shortCopies{f.data}
	f.packAndSeal()
	f.must(f.unpack())
	f.same()
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.must(os.Link(f.at("source/large"), f.at("source/same")))
	var files, size int64
	mu := make(chan struct{}, 1)
	f.options.Count = func(n, bytes int64) { mu <- struct{}{}; files += n; size += bytes; <-mu }
	f.packAndSeal()
	if totals := f.sink.Totals(); totals.Files != files || totals.Bytes != size {
		t.Errorf("packed %d files, %d bytes, recorded %+v", files, size, totals)
	}
	files, size = 0, 0
	f.linked()
	f.must(f.unpack())
	if totals := f.sink.Totals(); totals.Files != files || totals.Bytes != size {
		t.Errorf("unpacked %d files, %d bytes, recorded %+v", files, size, totals)
	}
}

// linked lets names of one file be names of one file.
func (f *fixture) linked() {
	f.t.Helper()
	stage, err := staging.Create(f.dir, "staging")
	f.must(err)
	f.t.Cleanup(stage.Close)
	f.options.Keep.Links = stage.Links()
}

func TestNamesOfOneFileStayNamesOfOneFile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("a/one", "small")
	f.write("a/large", strings.Repeat("large", 1<<20))
	f.must(os.Mkdir(f.at("source/b"), 0o755))
	for i := range 40 {
		f.must(os.Link(f.at("source/a/one"), f.at("source/b/one"+string(rune('a'+i)))))
	}
	f.must(os.Link(f.at("source/a/large"), f.at("source/b/large")))
	f.packAndSeal()
	f.linked()
	f.must(f.unpack())
	f.same()
	for _, name := range []string{"onea", "onez", "large"} {
		first, err := os.Stat(f.at("data/source/a/" + strings.TrimRight(name, "az")))
		if name == "large" {
			first, err = os.Stat(f.at("data/source/a/large"))
		}
		f.must(err)
		other, err := os.Stat(f.at("data/source/b/" + name))
		f.must(err)
		if !os.SameFile(first, other) {
			t.Errorf("%s is a file of its own", name)
		}
	}
}

func TestAttributesAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("folder/file", "content")
	attributes := []endpoint.Xattr{{Name: "user.take", Value: []byte{0, 255}}}
	folder := open(t, f.at("source/folder"))
	if err := folder.SetXattrs(attributes); err != nil {
		t.Skip("the file system holds no attributes: ", err)
	}
	file, err := folder.Reopen("file")
	f.must(err)
	f.must(file.SetXattrs(attributes))
	f.must(file.Close())
	f.options.Keep.Xattrs = true
	f.packAndSeal()
	f.must(f.unpack())
	folder = open(t, f.at("data/source/folder"))
	ofFolder, err := folder.Xattrs()
	f.must(err)
	in, err := folder.Open("file")
	f.must(err)
	defer in.Close()
	ofFile, err := in.Xattrs()
	f.must(err)
	for _, got := range [][]endpoint.Xattr{ofFolder, ofFile} {
		if len(got) != 1 || got[0].Name != "user.take" || !bytes.Equal(got[0].Value, []byte{0, 255}) {
			t.Errorf("attributes are %v", got)
		}
	}
}

// foldsCase is a folder in which case doesn't count.
type foldsCase struct{ endpoint.Dir }

func (d foldsCase) Create(name string, mode uint32) (endpoint.Writer, error) {
	return d.Dir.Create(strings.ToLower(name), mode)
}
func (d foldsCase) Mkdir(name string, mode uint32) error {
	return d.Dir.Mkdir(strings.ToLower(name), mode)
}
func (d foldsCase) Symlink(target, name string) error {
	return d.Dir.Symlink(target, strings.ToLower(name))
}
func (d foldsCase) Lstat(name string) (endpoint.Info, error) {
	return d.Dir.Lstat(strings.ToLower(name))
}
func (d foldsCase) SetMode(name string, mode uint32) error {
	return d.Dir.SetMode(strings.ToLower(name), mode)
}
func (d foldsCase) SetModTime(name string, t time.Time) error {
	return d.Dir.SetModTime(strings.ToLower(name), t)
}
func (d foldsCase) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	return foldsCase{dir}, nil
}

func TestNamesThatAreOneHereEndInAConflict(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{
		"files":             {"x", "X"},
		"empty folders":     {"a/", "A/"},
		"folders":           {"a/x", "A/y"},
		"folders, deep":     {"b/a/c/x", "b/A/c/y", "b/A/d/z"},
		"a file, a folder":  {"a/x", "A"},
		"an empty one":      {"a/", "A"},
		"a folder's folder": {"a/x/", "A/y/"},
	} {
		for range 5 { // in whatever order
			f := setup(t)
			for _, name := range names {
				if folder, ok := strings.CutSuffix(name, "/"); ok {
					f.must(os.MkdirAll(f.at("source/"+folder), 0o755))
				} else {
					f.write(name, "content")
				}
			}
			f.packAndSeal()
			f.data = foldsCase{f.data}
			if err := f.unpack(); failure.CodeOf(err) != failure.NameConflict {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func TestDeepTrees(t *testing.T) {
	t.Parallel()
	f := setup(t)
	at := open(t, f.path)
	f.must(at.Mkdir("source", 0o755))
	at = open(t, f.at("source"))
	const depth = 1000
	for range depth {
		f.must(at.Mkdir("deep", 0o755))
		next, err := at.OpenDir("deep")
		f.must(err)
		at.Close()
		at = next
	}
	out, err := at.Create("file", 0o600)
	f.must(err)
	f.must(out.Close())
	at.Close()
	f.packAndSeal()
	if r := f.zip()["source/"+strings.Repeat("deep/", depth)+"file"]; r == nil {
		t.Error("the file isn't in the archive")
	}
	f.must(f.unpack())
	at, err = f.data.OpenDir("source")
	f.must(err)
	for range depth {
		next, err := at.OpenDir("deep")
		f.must(err)
		at.Close()
		at = next
	}
	defer at.Close()
	if _, err := at.Lstat("file"); err != nil {
		t.Error(err)
	}
}

// damage packs a sample and alters the archive.
func damage(t *testing.T, alter func(f *fixture, raw []byte) []byte) *fixture {
	t.Helper()
	f := setup(t)
	f.sample()
	f.packAndSeal()
	raw, err := os.ReadFile(f.at("archive.zip"))
	f.must(err)
	f.must(os.WriteFile(f.at("archive.zip"), alter(f, raw), 0o600))
	return f
}

func TestAnotherHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"source/a.txt", "source/large", "source/folders/link"} {
		for _, at := range []int64{0, 4, 8, crcAt, crcAt + 5, crcAt + 10, localLength, localLength + 8} {
			f := damage(t, func(f *fixture, raw []byte) []byte {
				raw[f.records()[path].Packed.Offset+at] ^= 1
				return raw
			})
			if err := f.unpack(); failure.CodeOf(err) != failure.ArchiveError {
				t.Errorf("%s, byte %d: %v", path, at, err)
			}
		}
	}
}

func TestALinkThatLeadsElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	f := damage(t, func(_ *fixture, raw []byte) []byte {
		return bytes.Replace(raw, []byte("../nowhere"), []byte("../n0where"), 1)
	})
	if err := f.unpack(); failure.CodeOf(err) != failure.ArchiveError {
		t.Error(err)
	}
}

func TestAnArchiveThatIsCutShortIsRefused(t *testing.T) {
	t.Parallel()
	for _, part := range []float64{0, 0.1, 0.5, 0.9} {
		f := damage(t, func(f *fixture, raw []byte) []byte { return raw[:int(part*float64(f.size))] })
		if err := f.unpack(); failure.CodeOf(err) != failure.ArchiveError {
			t.Errorf("%v of it: %v", part, err)
		}
	}
}

func TestAManifestThatListsNoFolderIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.packAndSeal()
	lines := strings.SplitAfter(strings.TrimSuffix(f.recorded.String(), "\n"), "\n")
	f.recorded.Reset()
	f.recorded.WriteString(strings.Join(lines[:len(lines)-1], ""))
	if err := f.unpack(); failure.CodeOf(err) != failure.ArchiveError {
		t.Error(err)
	}
}

func TestAFailureLeavesNoFolderOpen(t *testing.T) {
	t.Parallel()
	for _, op := range []endpointtest.Op{endpointtest.Create, endpointtest.Mkdir, endpointtest.OpenDir, endpointtest.SetMode,
		endpointtest.CopyFrom, endpointtest.Close, endpointtest.Symlink} {
		f := setup(t)
		f.sample()
		f.packAndSeal()
		count := openDirs{left: make(chan int, 1)}
		count.left <- 0
		f.data = countingDir{endpointtest.Wrap(f.data, &endpointtest.Hooks{Before: func(did endpointtest.Op, _ string) error {
			if did == op {
				return syscall.EIO
			}
			return nil
		}}), count}
		if err := f.unpack(); failure.CodeOf(err) != failure.IOError {
			t.Errorf("%s: %v", op, err)
		}
		if left := <-count.left; left != 0 {
			t.Errorf("%s: %d folders are still open", op, left)
		}
	}
}

type openDirs struct{ left chan int }

type countingDir struct {
	endpoint.Dir
	count openDirs
}

func (d countingDir) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	d.count.left <- <-d.count.left + 1
	return countingDir{dir, d.count}, nil
}

func (d countingDir) Close() error {
	d.count.left <- <-d.count.left - 1
	return d.Dir.Close()
}

func TestNamesThatLeadOutAreNotEvenLookedUp(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../out", "source/../../out", "/out", "a//b", "..", ".", "", "a\\u0000b"} {
		f := setup(t)
		f.sample()
		f.packAndSeal()
		lines := strings.Replace(f.recorded.String(), `"source/a.txt"`, `"`+path+`"`, 1)
		f.recorded.Reset()
		f.recorded.WriteString(lines)
		if err := f.unpack(); failure.CodeOf(err) != failure.ArchiveError {
			t.Errorf("%q: %v", path, err)
		}
		f.staysWithin()
	}
}

// staysWithin makes sure that nothing was written beside the data folder.
func (f *fixture) staysWithin() {
	f.t.Helper()
	for _, at := range []string{f.path, filepath.Dir(f.path)} {
		entries, err := os.ReadDir(at)
		f.must(err)
		for _, e := range entries {
			if name := e.Name(); !e.IsDir() && name != "archive.zip" {
				f.t.Errorf("it wrote %s into %s", name, at)
			}
		}
	}
}

func TestALinkIsNotAWayOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write("link/out", "content")
	f.packAndSeal()
	f.must(os.Mkdir(f.at("data/source"), 0o700))
	f.must(os.Symlink("../..", f.at("data/source/link")))
	if err := f.unpack(); failure.CodeOf(err) != failure.NameConflict {
		t.Error(err)
	}
	f.staysWithin()
}

func TestACancelledUnpackEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.sample()
	f.packAndSeal()
	ctx, cancel := contextThatEnds(t)
	f.options.Count = func(int64, int64) { cancel() }
	in := f.archive()
	err := Unpack(ctx, Archive{Reader: in, Path: "archive.zip", Manifest: f.manifest}, f.data, f.options)
	if failure.CodeOf(err) != failure.Cancelled {
		t.Error(err)
	}
}
