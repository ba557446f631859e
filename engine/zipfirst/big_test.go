package zipfirst

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/manifest"
)

func TestMoreEntriesThanAPlainZipCounts(t *testing.T) {
	t.Parallel()
	f := setupInMemory(t)
	const folders, files = 66, 1000
	for i := range folders {
		path := f.at("source/" + strconv.Itoa(i))
		f.must(os.MkdirAll(path, 0o755))
		dir := open(t, path)
		for j := range files {
			out, err := dir.Create(strconv.Itoa(j), 0o600)
			f.must(err)
			f.must(out.Close())
		}
	}
	f.packAndSeal()
	if n := len(f.zip()); n != folders*(files+1)+1 {
		t.Errorf("%d entries", n)
	}
	f.must(f.unpack())
	for i := range folders {
		names, err := os.ReadDir(f.at("data/source/" + strconv.Itoa(i)))
		if err != nil || len(names) != files {
			t.Errorf("folder %d has %d names: %v", i, len(names), err)
		}
	}
}

// TestSparseFilesStaySparse has one beyond 4 GiB, so that offsets behind it are too.
func TestSparseFilesStaySparse(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"by the storage", "by hand"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.options.Hash = false
			f.options.Parallel = 1
			sizes := map[string]int64{"a": 4<<30 + 5, "b": 4<<30 - 1, "c": 200 << 10, "d": 64 << 10}
			for name, size := range sizes {
				f.write(name, "begin")
				file, err := os.OpenFile(f.at("source/"+name), os.O_RDWR, 0)
				f.must(err)
				_, err = file.WriteAt([]byte("middle"), size/2)
				f.must(err)
				f.must(file.Truncate(size))
				f.must(file.Close())
			}
			f.packAndSeal()
			for name, size := range sizes {
				if entry := f.zip()["source/"+name]; entry == nil || entry.UncompressedSize64 != uint64(size) {
					t.Fatalf("%s is %+v", name, entry)
				}
				if size < 1<<20 {
					content(t, f.zip()["source/"+name])
				}
			}
			f.checkSparse("archive.zip", 8<<30)
			if how == "by hand" {
				f.data = noCopies{f.data}
			}
			f.must(f.unpack())
			for name, size := range sizes {
				f.checkSparse("data/source/"+name, size)
				in, err := os.Open(f.at("data/source/" + name))
				f.must(err)
				got := make([]byte, 16)
				_, err = in.ReadAt(got, size/2-5)
				f.must(err)
				if want := "\x00\x00\x00\x00\x00middle\x00\x00\x00\x00\x00"; string(got) != want {
					t.Errorf("%s holds %q", name, got)
				}
				f.must(in.Close())
			}
		})
	}
}

// checkSparse makes sure that a file has its size, and takes next to nothing.
func (f *fixture) checkSparse(name string, size int64) {
	f.t.Helper()
	info, err := f.dir.Lstat(name)
	if err != nil { // it is not in dir itself
		stat, err := os.Stat(f.at(name))
		f.must(err)
		info = endpoint.Info{Size: stat.Size(), Allocated: stat.Sys().(*syscall.Stat_t).Blocks * 512}
	}
	if info.Size < size || name != "archive.zip" && info.Size != size || info.Allocated > 256<<10 {
		f.t.Errorf("%s has %d bytes, and takes %d", name, info.Size, info.Allocated)
	}
}

// noCopies is a folder whose storage doesn't copy by itself.
type noCopies struct{ endpoint.Dir }

func (d noCopies) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	return noCopies{dir}, err
}

func (d noCopies) Create(name string, mode uint32) (endpoint.Writer, error) {
	w, err := d.Dir.Create(name, mode)
	return noCopy{w}, err
}

type noCopy struct{ endpoint.Writer }

func (noCopy) CopyFrom(int64, endpoint.Reader, int64, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}

// TestSealHoldsNothingInMemory seals an archive of many entries that are only told of.
func TestSealHoldsNothingInMemory(t *testing.T) {
	const entries = 300_000
	f := setup(t)
	records, writer := io.Pipe()
	go func() {
		sink, err := manifest.NewWriter(writer, manifest.Begin{})
		for i := 0; i < entries && err == nil; i++ {
			err = sink.Add(manifest.Record{Path: fmt.Sprintf("source/folder%03d/a name of some length %06d.wav", i/1000, i),
				Packed: &manifest.Packed{Offset: int64(i) * 100}})
		}
		if err == nil {
			_, err = sink.Lines()
		}
		writer.CloseWithError(err)
	}()
	out, err := f.dir.Create("archive.zip", 0o600)
	f.must(err)
	before := heap()
	f.must(Seal(t.Context(), records, out, entries*100, "archive.zip"))
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	f.must(out.Close())
	r, err := zip.OpenReader(f.at("archive.zip"))
	f.must(err)
	defer func() { _ = r.Close() }()
	if len(r.File) != entries {
		t.Errorf("%d entries", len(r.File))
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
