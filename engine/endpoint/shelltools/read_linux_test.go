package shelltools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/remote"
)

// put makes the files of items on this machine.
func put(t *testing.T, far *far, items []endpoint.Item) (paths []string) {
	t.Helper()
	fails(t, os.RemoveAll(far.path))
	fails(t, os.MkdirAll(far.path, 0o755))
	for _, item := range items {
		if item.Type != endpoint.File {
			continue
		}
		path := far.path + "/" + item.Path
		fails(t, os.MkdirAll(filepath.Dir(path), 0o755))
		fails(t, os.WriteFile(path, item.Data, 0o600))
		fails(t, os.Chtimes(path, item.ModAt, item.ModAt))
		paths = append(paths, item.Path)
	}
	return paths
}

// read reads paths; the Data are copies.
func (f *far) read(ctx context.Context, paths []string) ([]endpoint.Whole, error) {
	files := []endpoint.Whole{}
	err := f.dir.(endpoint.BulkReader).ReadAll(ctx, paths, 0, false, func(i int, file endpoint.Whole) error {
		if i != len(files) {
			return fmt.Errorf("file %d comes as number %d", i, len(files))
		}
		file.Data = append([]byte{}, file.Data...)
		files = append(files, file)
		return nil
	})
	return files, err
}

func hostileFiles() (items []endpoint.Item) {
	for _, item := range hostileTree() {
		if item.Type == endpoint.File {
			items = append(items, item)
		}
	}
	return items
}

func newFarAgain(t *testing.T, far *far) *far { t.Helper(); return farAt(t, far.machine, far.path) }

func TestFilesAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		items := hostileFiles()
		paths := put(t, far, items)
		far = newFarAgain(t, far)
		far.noise = "Welcome!\nNo newline at the end"
		before := far.started.Load()
		files, err := far.read(t.Context(), paths)
		fails(t, err)
		for i, file := range files {
			if file.Err != nil || file.TooLarge || string(file.Data) != string(items[i].Data) {
				t.Errorf("%q is %+v", paths[i], file)
			}
			if file.Before != file.After || !file.Before.ModAt.Equal(items[i].ModAt) || file.Before.Size != int64(len(items[i].Data)) {
				t.Errorf("%q: %+v, then %+v", paths[i], file.Before, file.After)
			}
		}
		if len(files) != len(paths) || far.started.Load() != before+1 {
			t.Errorf("%d files of %d", len(files), len(paths))
		}
		nothingWasParsed(t, far)
	})
}

func TestTarItselfBringsEveryFileThatIsThere(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		items := hostileFiles()
		paths := put(t, far, items)
		packed, err := tarReader{&folder{far.plain, far.path, &host{starter: far.machine, tools: far.tools}}}.packed(t.Context(), paths)
		fails(t, err)
		for i, path := range paths {
			if data := packed[path]; data == nil || string(data) != string(items[i].Data) {
				t.Errorf("%q is %.20q", path, data)
			}
		}
	})
}

func TestAFileThatCantBeReadHasItsOwnError(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		put(t, far, []endpoint.Item{file("a", "a"), file("in/b", "b"), file("c", "c")})
		far = newFarAgain(t, far)
		fails(t, os.Symlink("a", far.path+"/link"))
		fails(t, os.Symlink("in", far.path+"/away"))
		fails(t, os.Link(far.path+"/a", far.path+"/second"))
		large, err := os.Create(far.path + "/large")
		fails(t, err)
		fails(t, large.Truncate(limits.Bytes+1))
		large.Close()
		fails(t, syscall.Mkfifo(far.path+"/fifo", 0o600))
		files, err := far.read(t.Context(), []string{"a", "missing", "link", "away/b", "second", "a", "large", "fifo", "../a", "in", "c"})
		fails(t, err)
		for i, want := range []string{"a", "ENOENT", "large", "ENOTDIR", "a", "a", "large", "large", "EINVAL", "large", "c"} {
			got := string(files[i].Data)
			switch err := files[i].Err; {
			case files[i].TooLarge:
				got = "large"
			case errors.Is(err, fs.ErrNotExist):
				got = "ENOENT"
			case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP):
				got = "ENOTDIR"
			case errors.Is(err, syscall.EINVAL):
				got = "EINVAL"
			}
			if got != want {
				t.Errorf("file %d is %q (%v), want %q", i, got, files[i].Err, want)
			}
		}
	})
}

func TestWhatTarComplainsOfIsReadOneByOne(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		put(t, far, []endpoint.Item{file("a", "a"), file("goes", "b"), file("c", "c")})
		far = newFarAgain(t, far)
		far.onStart = func(*os.Process) { _ = os.Remove(far.path + "/goes") }
		files, err := far.read(t.Context(), []string{"a", "goes", "c"})
		fails(t, err)
		if string(files[0].Data) != "a" || string(files[2].Data) != "c" || !errors.Is(files[1].Err, fs.ErrNotExist) {
			t.Errorf("%+v", files)
		}
	})
}

func TestAReaderThatIsKilledOrCancelledEnds(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		put(t, far, []endpoint.Item{file("a", "a")})
		far = newFarAgain(t, far)
		ctx, cancel := context.WithCancel(t.Context())
		far.onStart = func(*os.Process) { cancel() }
		if _, err := far.read(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAnErrorOfTheCallersEndsReading(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, nil))
	put(t, far, []endpoint.Item{file("a", "a"), file("b", "b")})
	far = newFarAgain(t, far)
	calls := 0
	err := far.dir.(endpoint.BulkReader).ReadAll(t.Context(), []string{"a", "b"}, 0, true, func(int, endpoint.Whole) error { calls++; return syscall.EDOM })
	if !errors.Is(err, syscall.EDOM) || calls != 1 {
		t.Error(err, calls)
	}
}

func TestDigestsAreTheFilesOwn(t *testing.T) {
	t.Parallel()
	for _, tools := range []map[string]string{nil, {"xargs": "busybox", "sh": "busybox"}} {
		far := newFar(t, newMachine(t, tools))
		items := hostileFiles()
		paths := put(t, far, items)
		far = newFarAgain(t, far)
		far.noise = "Welcome!"
		fails(t, os.Symlink(paths[0], far.path+"/link"))
		paths = append(paths, "link", "missing", "in")
		digests, err := far.dir.(endpoint.Digester).Digests(t.Context(), paths)
		fails(t, err)
		for i, item := range items {
			if d := digests[i]; d.Err != nil || d.XXH64 != xxhash.Sum64(item.Data) || d.Size != int64(len(item.Data)) {
				t.Errorf("%q: %+v", item.Path, d)
			}
		}
		for i, want := range []error{syscall.ELOOP, syscall.ENOENT, syscall.EISDIR} {
			if d := digests[len(items)+i]; !errors.Is(d.Err, want) {
				t.Errorf("%+v, want %v", d, want)
			}
		}
		nothingWasParsed(t, far)
	}
}

func TestAFileThatGoesHasNoDigestAndTheOthersHaveTheirs(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, nil))
	put(t, far, []endpoint.Item{file("a", "a"), file("goes", "b"), file("c", "c")})
	far = newFarAgain(t, far)
	far.onStart = func(*os.Process) { _ = os.Remove(far.path + "/goes") }
	digests, err := far.dir.(endpoint.Digester).Digests(t.Context(), []string{"a", "goes", "c"})
	fails(t, err)
	if digests[0].XXH64 != xxhash.Sum64String("a") || digests[2].XXH64 != xxhash.Sum64String("c") || !errors.Is(digests[1].Err, fs.ErrNotExist) {
		t.Errorf("%+v", digests)
	}
}

func TestSumsOfNamesThatAreEscapedAreUnderstood(t *testing.T) {
	t.Parallel()
	said := "\\00000000000000ff  ./a\\nb\\\\\n0000000000000001  ./a\nb\n0000000000000002  ./z\n"
	sums := parseSums([]byte(said), []string{"a\nb\\", "gone", "a\nb", "z", "after"})
	want := []sum{{255, true}, {}, {1, true}, {2, true}, {}}
	for i := range want {
		if sums[i] != want[i] {
			t.Errorf("%d: %+v", i, sums[i])
		}
	}
}

func FuzzSumsAreOfTheNamesAskedFor(f *testing.F) {
	f.Add([]byte("0000000000000001  ./a\n"), "a")
	f.Add([]byte("\\0000000000000001  ./a\\n\n"), "a\n")
	f.Fuzz(func(t *testing.T, said []byte, name string) {
		if sums := parseSums(said, []string{name}); sums[0].ok && len(said) < 19+len(name) {
			t.Error("a sum of nothing")
		}
	})
}

func FuzzAnArchiveIsWhatWasAskedFor(f *testing.F) {
	var b strings.Builder
	b.WriteString("\n" + marker + "\n")
	if err := (&host{}).pax(&b, []endpoint.Item{{Path: "a", Data: []byte("a")}, {Path: "b", Data: []byte("b")}}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(b.String()))
	f.Fuzz(func(t *testing.T, said []byte) {
		files, err := unpack(strings.NewReader(string(said)), []string{"a"})
		if err == nil && len(files) != 1 {
			t.Errorf("%d files", len(files))
		}
	})
}

func TestFilesAreDigestedOnlyWhereProgramsMayBeStarted(t *testing.T) {
	t.Parallel()
	tools, err := Probe(t.Context(), refuser{})
	fails(t, err)
	far := newFar(t, newMachine(t, nil))
	if dir := Decorate(far.plain, far.path, refuser{}, tools); dir != far.plain {
		t.Error("it has abilities")
	}
}

type refuser struct{}

func (refuser) Start(context.Context, remote.Command) (remote.Process, error) {
	return nil, remote.ErrRefused
}
