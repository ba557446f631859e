package zipfirst

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

func options() Options { return Options{Parallel: 2, Count: func(int64, int64) {}} }

// unpack unpacks raw into data/ of a folder of its own, with a manifest that lists the archive's own names as far as a
// manifest can, and returns that folder.
func unpack(t *testing.T, raw []byte) (string, error) {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { openAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	data, err := local.Open(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	recorded := manifestOf(raw)
	archive := Archive{ReaderAt: bytes.NewReader(raw), Size: int64(len(raw)), Path: "archive.zip",
		Manifest: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(recorded)), nil }}
	return dir, Unpack(t.Context(), archive, data, options())
}

func openAll(dir string) {
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
}

func manifestOf(raw []byte) []byte {
	var b bytes.Buffer
	w := manifest.NewWriter(&b)
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil
	}
	for _, f := range r.File {
		record := manifest.Record{Path: strings.TrimSuffix(f.Name, "/"), Size: int64(f.UncompressedSize64), Mode: 0o700}
		if strings.HasSuffix(f.Name, "/") {
			record.Type = endpoint.Folder
		} else if f.Mode()&fs.ModeSymlink != 0 {
			record.Type = endpoint.Symlink
			if in, err := f.Open(); err == nil {
				target, _ := io.ReadAll(io.LimitReader(in, 4096))
				record.Target = string(target)
			}
		}
		_ = w.Add(record) // names that lead out can't be listed
	}
	_ = w.Flush()
	return b.Bytes()
}

func zipOf(entries ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range entries {
		header := zip.FileHeader{Name: name}
		name, target, link := strings.Cut(name, " -> ")
		content := "content"
		if link {
			header.Name, content = name, target
			header.SetMode(fs.ModeSymlink | 0o777)
		}
		out, err := w.CreateHeader(&header)
		if err == nil && !strings.HasSuffix(name, "/") {
			_, _ = io.WriteString(out, content)
		}
	}
	_ = w.Close()
	return b.Bytes()
}

func TestNamesThatLeadOutAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../out", "a/../../out", "/out", "a//b", "..", "../", "/", "./a", "a\x00b", ""} {
		dir, err := unpack(t, zipOf("top/", "top/fine", name))
		if failure.CodeOf(err) != failure.ArchiveError {
			t.Errorf("%q: %v", name, err)
		}
		staysWithin(t, dir)
	}
}

func TestALinkInTheArchiveIsNotAWayOut(t *testing.T) {
	t.Parallel()
	dir, err := unpack(t, zipOf("top/", "top/link -> ../..", "top/link/out"))
	if err == nil {
		t.Error("a link was followed")
	}
	staysWithin(t, dir)
}

func TestABackslashIsAByteLikeAnyOther(t *testing.T) {
	t.Parallel()
	dir, err := unpack(t, zipOf(`..\..\name`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "data", `..\..\name`)); err != nil {
		t.Error(err)
	}
}

func TestABrokenArchiveIsAnArchiveError(t *testing.T) {
	t.Parallel()
	whole := zipOf("top/", "top/file")
	flipped := bytes.Replace(whole, []byte("content"), []byte("cOntent"), 1)
	for what, raw := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)/2], "no zip": []byte("no zip"),
		"flipped": flipped} {
		if _, err := unpack(t, raw); failure.CodeOf(err) != failure.ArchiveError {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func staysWithin(t *testing.T, dir string) {
	t.Helper()
	for _, at := range []string{dir, filepath.Dir(dir)} {
		entries, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "data" && !e.IsDir() {
				t.Errorf("it wrote %s into %s", e.Name(), at)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(zipOf("top/", "top/file", "top/link -> /etc/passwd", "../out"))
	f.Add(zipOf("top/", "top/link -> ..", "top/link/out"))
	f.Add(zipOf(`..\out`, "a/../../out", "/out"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if declared(raw) > 1<<20 {
			return // what a manifest of ours would never list
		}
		dir, _ := unpack(t, raw)
		staysWithin(t, dir)
	})
}

// declared is how much an archive says it holds.
func declared(raw []byte) uint64 {
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return 0
	}
	var all uint64
	for _, f := range r.File {
		all += min(f.UncompressedSize64, 1<<40)
	}
	return all
}

func TestPackWritesWhatItRecords(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "top")
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "\xff.wav"), []byte("sound"), 0o640); err != nil {
		t.Fatal(err)
	}
	folder, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	info, err := folder.Info()
	if err != nil {
		t.Fatal(err)
	}
	var raw, recorded bytes.Buffer
	sink := manifest.NewWriter(&recorded)
	root := &tree.Root{Folder: folder, Name: "top", Path: dir, Info: info}
	if err := Pack(t.Context(), root, &raw, "archive.zip", sink, options()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(raw.Bytes()), int64(raw.Len()))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]uint16{}
	for _, f := range r.File {
		names[f.Name] = f.Method
	}
	for _, want := range []string{"top/", "top/empty/", "top/\xff.wav"} {
		if method, ok := names[want]; !ok || method != zip.Store {
			t.Errorf("%q: %v, method %d", want, ok, method)
		}
	}
	if totals := sink.Totals(); totals.Files != 1 || totals.Folders != 2 || totals.Bytes != 5 {
		t.Errorf("totals are %+v", totals)
	}
}
