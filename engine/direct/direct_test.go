package direct

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
)

// bench is a source folder and a staging.
type bench struct {
	*testing.T
	from         string
	data         string
	source, sink *endpointtest.Hooks
	stage        *staging.Staging
	records      recorder
}

type recorder struct {
	mu  sync.Mutex
	all []manifest.Record
}

func (r *recorder) Add(records ...manifest.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, records...)
	return nil
}

func (r *recorder) AddPartial(manifest.Partial) error { return nil }

func setup(t *testing.T) *bench {
	t.Helper()
	root := t.TempDir()
	b := &bench{T: t, from: filepath.Join(root, "folder"), data: filepath.Join(root, "to/.stage/data"),
		source: &endpointtest.Hooks{}, sink: &endpointtest.Hooks{}}
	b.must(os.Mkdir(b.from, 0o755))
	b.must(os.Mkdir(filepath.Join(root, "to"), 0o755))
	to, err := local.Open(filepath.Join(root, "to"))
	b.must(err)
	t.Cleanup(func() { to.Close() })
	b.stage, err = staging.Create(endpointtest.Wrap(to, b.sink), ".stage")
	b.must(err)
	t.Cleanup(b.stage.Close)
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) write(name, content string) {
	b.Helper()
	path := filepath.Join(b.from, name)
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	b.must(os.WriteFile(path, []byte(content), 0o644))
}

func (b *bench) firstListed() (first string) {
	b.Helper()
	dir, err := local.Open(b.from)
	b.must(err)
	defer dir.Close()
	b.must(dir.List(func(e endpoint.Entry) error {
		if first == "" {
			first = e.Name
		}
		return nil
	}))
	return first
}

func (b *bench) copy(ctx context.Context, change ...func(*Options)) error {
	b.Helper()
	parent, err := local.Open(filepath.Dir(b.from))
	b.must(err)
	parent = endpointtest.Wrap(parent, b.source)
	root := &tree.Root{Parent: parent, Name: "folder", Path: b.from}
	defer root.Close()
	root.Folder, err = parent.OpenDir("folder")
	b.must(err)
	root.Info, err = root.Folder.Info()
	b.must(err)
	options := Options{Parallel: 4, Hash: true, Keep: staging.Keep{Modes: true, Xattrs: true, Links: b.stage.Links()},
		Sink: &b.records, Count: func(int64, int64) {}, PartEvery: PartEvery}
	for _, c := range change {
		c(&options)
	}
	return Copy(ctx, root, b.stage.Data(), options)
}

// TestAFailureStopsWhatElseIsUnderWay fails what the one who lists the folder copies himself, while another is in the middle
// of a file.
func TestAFailureStopsWhatElseIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 * Batch {
		b.write(fmt.Sprint(i), "x")
	}
	underWay, failed := make(chan struct{}), make(chan struct{})
	const pieces = 28
	name := b.firstListed() // in the batch that another copies
	b.write(name, strings.Repeat("x", pieces*bufferSize))
	slow := filepath.Join(b.from, name)
	var ended sync.Once
	var read atomic.Int64
	b.source.Before = func(op endpointtest.Op, path string) error {
		switch {
		case op != endpointtest.Read:
		case path == slow:
			if read.Add(1) == 1 {
				close(underWay)
				<-failed
			}
			runtime.Gosched() // the error has yet to be told
		default:
			<-underWay
			ended.Do(func() { close(failed) })
			return syscall.EIO
		}
		return nil
	}
	f := failure.From(b.copy(t.Context(), func(o *Options) { o.Parallel = 1 }))
	if f == nil || f.Code != failure.IOError || f.Path == slow {
		t.Errorf("it ends with %v", f)
	}
	if read.Load() == pieces {
		t.Error("all of the other was read")
	}
}

// TestAFailedFirstNameLetsTheOthersGoOn fails whoever makes the first name of a file that many want to link to.
func TestAFailedFirstNameLetsTheOthersGoOn(t *testing.T) {
	t.Parallel()
	for what, op := range map[string]endpointtest.Op{"create": endpointtest.Create, "write": endpointtest.Write,
		"link": endpointtest.Link, "mode": endpointtest.FileMode, "close": endpointtest.Close} {
		for _, size := range []int{5, 9 << 20} {
			t.Run(fmt.Sprint(what, size), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.write("first", strings.Repeat("x", size))
				for i := range 60 {
					b.must(os.Link(filepath.Join(b.from, "first"), filepath.Join(b.from, fmt.Sprintf("name %d", i))))
				}
				var once atomic.Bool
				b.sink.Before = func(o endpointtest.Op, _ string) error {
					if o == op && !once.Swap(true) {
						return syscall.EIO
					}
					return nil
				}
				err := b.copy(t.Context())
				if f := failure.From(err); f == nil || f.Code != failure.IOError || !strings.HasPrefix(f.Path, b.data) {
					t.Errorf("it ends with %v", err)
				}
			})
		}
	}
}

func TestACancelAtAnyMomentEndsACopyAndIsToldAsOne(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n += 3 {
		b := setup(t)
		b.write("large", strings.Repeat("x", 12<<20))
		b.write("sub/a", "a")
		b.must(os.Link(filepath.Join(b.from, "large"), filepath.Join(b.from, "sub/linked")))
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int64
		count := func(endpointtest.Op, string) error {
			if seen.Add(1) == n {
				cancel()
			}
			return nil
		}
		b.source.Before, b.sink.Before = count, count
		err := b.copy(ctx)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at operation %d: %v", n, err)
		}
		if seen.Load() < n {
			return
		}
	}
}

func TestASourceThatShrinksOrGrowsHasChanged(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{100, 300 << 10, 12 << 20} {
		for what, change := range map[string]func(path string) error{
			"shrinks":       func(path string) error { return os.Truncate(path, size/2) },
			"grows":         func(path string) error { return os.Truncate(path, size*2) },
			"is emptied":    func(path string) error { return os.Truncate(path, 0) },
			"is written to": func(path string) error { return os.WriteFile(path, make([]byte, size), 0o644) },
		} {
			for _, hash := range []bool{true, false} {
				for _, sparse := range []bool{true, false} {
					t.Run(fmt.Sprint(what, size, hash, sparse), func(t *testing.T) {
						t.Parallel()
						b := setup(t)
						b.write("file", strings.Repeat("x", int(size)))
						path := filepath.Join(b.from, "file")
						if sparse {
							b.must(errors.Join(os.Truncate(path, 0), os.Truncate(path, size)))
						}
						var once sync.Once
						b.source.Before = func(op endpointtest.Op, p string) error {
							if op == endpointtest.GetXattrs && p == path { // it is open, and seen
								once.Do(func() { b.must(change(path)) })
							}
							return nil
						}
						f := failure.From(b.copy(t.Context(), func(o *Options) { o.Hash = hash }))
						if f == nil || f.Code != failure.SourceChanged || f.Path != path {
							t.Errorf("it ends with %v", f)
						}
					})
				}
			}
		}
	}
}

// left is what an earlier run has of one file.
type left struct {
	dir  endpoint.Dir
	part manifest.Partial
}

func (l left) Folder(string) (endpoint.Dir, error) { return nil, nil }

func (l left) Rest(path string) (*Rest, error) {
	if path != l.part.Record.Path {
		return nil, nil
	}
	return &Rest{Partial: l.part, Dir: l.dir, Name: "rest", Close: func() {}}, nil
}

// unfinished makes a large file of which an earlier run has a half.
func (b *bench) unfinished() left {
	b.Helper()
	const size = 12 << 20
	b.write("large", strings.Repeat("x", size))
	b.must(os.WriteFile(filepath.Join(filepath.Dir(b.data), "rest"), []byte(strings.Repeat("x", size/2)+"not proven"), 0o600))
	from, err := local.Open(b.from)
	b.must(err)
	defer from.Close()
	info, err := from.Lstat("large")
	b.must(err)
	return left{b.stage.Dir(), manifest.Partial{Record: manifest.Of("folder/large", info), Offset: size / 2}}
}

func TestAnUnfinishedFileThatHasItsModeAlreadyIsGoneOnWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.unfinished()
	shut := true
	b.sink.Before = func(op endpointtest.Op, path string) error {
		switch {
		case op == endpointtest.SetMode && filepath.Base(path) == "large":
			shut = false
		case op == endpointtest.Reopen && shut: // as it is for an ordinary user
			return syscall.EACCES
		}
		return nil
	}
	b.must(b.copy(t.Context(), func(o *Options) { o.Hash, o.Earlier = false, l }))
	got, err := os.ReadFile(filepath.Join(b.data, "folder/large"))
	b.must(err)
	if string(got) != strings.Repeat("x", 12<<20) || shut {
		t.Errorf("%d bytes arrived", len(got))
	}
}

func TestAnUnfinishedFileIsClosedWhenItCantBeGoneOnWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.unfinished()
	var opened, closed atomic.Int64
	b.sink.Before = func(op endpointtest.Op, path string) error {
		switch op {
		case endpointtest.Reopen:
			opened.Add(1)
		case endpointtest.Close:
			closed.Add(1)
		case endpointtest.Truncate:
			return syscall.EIO
		}
		return nil
	}
	err := b.copy(t.Context(), func(o *Options) { o.Hash, o.Earlier = false, l })
	if failure.CodeOf(err) != failure.IOError || opened.Load() != 1 || closed.Load() != 1 {
		t.Errorf("%d opened, %d closed, %v", opened.Load(), closed.Load(), err)
	}
}
