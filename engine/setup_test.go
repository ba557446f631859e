package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// bench is a source and a destination below one allowed root, and an engine.
type bench struct {
	*testing.T
	root, from, to string
	engine         *Engine
	source         *endpointtest.Hooks
	destination    *endpointtest.Hooks
	log            *journal
	runs           atomic.Int64
}

func setup(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	return setupIn(t, t.TempDir(), change...)
}

func setupIn(t *testing.T, root string, change ...func(*Options)) *bench {
	t.Helper()
	t.Cleanup(func() { makeRemovable(root) })
	b := &bench{T: t, root: root, from: filepath.Join(root, "from"), to: filepath.Join(root, "to"),
		source: &endpointtest.Hooks{}, destination: &endpointtest.Hooks{}, log: &journal{}}
	for _, dir := range []string{b.from, b.to} {
		b.must(os.Mkdir(dir, 0o755))
	}
	options := Options{AllowedRoots: []string{root}, Parallel: 4}
	for _, c := range change {
		c(&options)
	}
	e, err := New(options)
	b.must(err)
	e.decorate = decorators{
		source:      func(d endpoint.Dir) endpoint.Dir { return endpointtest.Wrap(d, b.source) },
		destination: func(d endpoint.Dir) endpoint.Dir { return endpointtest.Wrap(d, b.destination) },
	}
	b.engine = e
	return b
}

// makeRemovable lets the owner remove a tree.
func makeRemovable(root string) {
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// acrossFileSystems makes every rename out of the source's folder fail as between two file systems.
func (b *bench) acrossFileSystems() {
	b.source.Before = func(op endpointtest.Op, path string) error {
		if op == endpointtest.Rename {
			return syscall.EXDEV
		}
		return nil
	}
}

func (b *bench) spec(name string, mode transfer.Mode, strategy transfer.Strategy) transfer.Spec {
	return transfer.Spec{Source: filepath.Join(b.from, name), Destination: b.to, Mode: mode, Strategy: strategy,
		Verify: transfer.Checksum, Run: b.newRun()}
}

func (b *bench) newRun() transfer.Run {
	return transfer.Run{Installation: "test-1", Job: 7, Token: fmt.Sprintf("token-%d", b.runs.Add(1))}
}

// run plans and runs, as the worker does.
func (b *bench) run(ctx context.Context, spec transfer.Spec) (transfer.Result, error) {
	plan, err := b.engine.Plan(ctx, spec)
	if err != nil {
		return transfer.Result{}, err
	}
	return b.runPlan(ctx, plan)
}

func (b *bench) runPlan(ctx context.Context, plan planner.Plan) (transfer.Result, error) {
	if plan.Strategy == transfer.ZipFirst {
		return b.engine.RunTransferZipFirst(ctx, plan, b.log)
	}
	return b.engine.RunTransfer(ctx, plan, b.log)
}

func (b *bench) write(path, content string) {
	b.Helper()
	full := filepath.Join(b.root, path)
	b.must(os.MkdirAll(filepath.Dir(full), 0o755))
	b.must(os.WriteFile(full, []byte(content), 0o644))
}

// What sample makes.
const (
	sampleFiles = 23
	sampleBytes = 2_300_030 + 300_001 + 3<<20
)

// sample makes a folder with everything a tree may hold.
func (b *bench) sample(name string) {
	b.Helper()
	for path, content := range map[string]string{
		"empty file": "", "a": "a", "sub/deep/er/b": strings.Repeat("0123456789", 30_000), "new\nline": "n",
		"\xff\xfe": "not utf-8", "sub/\xc3\x28/x": "x", ".DS_Store": "ds", "._a": "fork", `back\slash`: "b",
		"read only/file": "ro", strings.Repeat("n", 255): "long", "large": strings.Repeat("large", 400_000),
		"-rf": "dash", "sub/“quoted” é": "u",
	} {
		b.write(filepath.Join("from", name, path), content)
	}
	top := filepath.Join(b.from, name)
	b.must(os.MkdirAll(filepath.Join(top, "empty/empty too"), 0o755))
	for link, target := range map[string]string{"dangling": "nowhere", "outward": "/etc/passwd", "up": "../../..",
		"sub/inward": "deep/er/b", "to folder": "sub", "bytes": "\xfe\n"} {
		b.must(os.Symlink(target, filepath.Join(top, link)))
	}
	b.must(os.Link(filepath.Join(top, "sub/deep/er/b"), filepath.Join(top, "sub/deep/er/linked b")))
	b.must(os.Link(filepath.Join(top, "a"), filepath.Join(top, "sub/linked a")))
	b.sparse(filepath.Join(top, "sparse"), 3<<20, 1<<20)
	for _, path := range []string{".", "sub", "large", "sub/deep/er/b"} {
		b.attribute(filepath.Join(top, path), "user.take", "3\x00\xff")
	}
	b.must(os.Chmod(filepath.Join(top, "a"), 0o444))
	b.must(os.Chmod(filepath.Join(top, "large"), 0o6755))
	b.must(os.Chmod(filepath.Join(top, "read only/file"), 0o444))
	b.must(os.Chmod(filepath.Join(top, "read only"), 0o555))
	b.must(os.Chmod(filepath.Join(top, "empty/empty too"), 0o1700))
	b.age(top)
	b.must(os.Chmod(top, 0o555))
}

// sparse makes a file of a hole, with a block of data at each of the offsets.
func (b *bench) sparse(path string, size int64, data ...int64) {
	b.Helper()
	f, err := os.Create(path)
	b.must(err)
	for _, at := range data {
		_, err := f.WriteAt([]byte(strings.Repeat("sparse..", 8<<10)), at)
		b.must(err)
	}
	b.must(errors.Join(f.Truncate(size), f.Sync(), f.Close()))
}

// attribute sets an extended attribute of what is at path, where the file system has any.
func (b *bench) attribute(path, name, value string) {
	b.Helper()
	dir, err := openParent(path)
	b.must(err)
	defer dir.Close()
	if !dir.Capabilities().Xattrs {
		return
	}
	attributes := []endpoint.Xattr{{Name: name, Value: []byte(value)}}
	if folder, err := dir.OpenDir(filepath.Base(path)); err == nil {
		b.must(errors.Join(folder.SetXattrs(attributes), folder.Close()))
		return
	}
	w, err := dir.Reopen(filepath.Base(path))
	b.must(err)
	b.must(errors.Join(w.SetXattrs(attributes), w.Close()))
}

// age gives everything in a tree a time of its own in the past, to the nanosecond.
func (b *bench) age(top string) {
	b.Helper()
	dir, err := openParent(top)
	b.must(err)
	defer dir.Close()
	when := time.Unix(1_500_000_000, 987_654_321)
	b.ageIn(dir, filepath.Base(top), &when)
}

func (b *bench) ageIn(dir endpoint.Dir, name string, when *time.Time) {
	b.Helper()
	if folder, err := dir.OpenDir(name); err == nil {
		b.must(folder.List(func(e endpoint.Entry) error {
			b.ageIn(folder, e.Name, when)
			return nil
		}))
		folder.Close()
	}
	*when = when.Add(time.Hour + time.Nanosecond)
	b.must(dir.SetModTime(name, *when))
}

func setTime(path string, when time.Time) error {
	dir, err := openParent(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.SetModTime(filepath.Base(path), when)
}

// snapshot says everything of a tree that a transfer keeps, a line for each name.
func (b *bench) snapshot(top string) string {
	b.Helper()
	return lines(b.names(top))
}

func lines(names []name) string {
	all := []string{}
	for _, n := range names {
		all = append(all, n.line)
	}
	sort.Strings(all)
	return strings.Join(all, "\n")
}

// name is a name of a tree.
type name struct {
	path, line string
	info       endpoint.Info
}

// names returns all names of a tree, which may be deeper than paths may be long.
func (b *bench) names(top string) []name {
	b.Helper()
	dir, err := openParent(top)
	b.must(err)
	defer dir.Close()
	s := snapshooter{bench: b, first: map[[2]uint64]string{}}
	s.add(dir, filepath.Base(top), ".")
	for i := range s.all {
		n := &s.all[i]
		if first := s.first[[2]uint64{n.info.Device, n.info.Inode}]; n.info.Type == endpoint.File && first != n.path {
			n.line += fmt.Sprintf(" = %q", first)
		}
	}
	return s.all
}

type snapshooter struct {
	*bench
	block [64 << 10]byte
	all   []name
	first map[[2]uint64]string // of a file's names, by the file
}

func (s *snapshooter) add(dir endpoint.Dir, base, path string) {
	s.Helper()
	info, err := dir.Lstat(base)
	s.must(err)
	what := ""
	switch info.Type {
	case endpoint.File:
		what = s.file(dir, base)
		id := [2]uint64{info.Device, info.Inode}
		if first, seen := s.first[id]; !seen || path < first {
			s.first[id] = path
		}
	case endpoint.Symlink:
		target, err := dir.Readlink(base)
		s.must(err)
		what = fmt.Sprintf("-> %q", target)
	case endpoint.Folder:
		what = s.folder(dir, base, path)
	}
	line := fmt.Sprintf("%q %d %o %d %s", path, info.Type, info.Mode, info.ModAt.UnixNano(), what)
	if nanos := info.ModAt.UnixNano(); !time.Unix(0, nanos).Equal(info.ModAt) {
		line += fmt.Sprint(info.ModAt) // before 1678 or after 2262
	}
	s.all = append(s.all, name{path, line, info})
}

// file is what a file holds, of which zeros are skipped, and its attributes.
func (s *snapshooter) file(dir endpoint.Dir, base string) string {
	s.Helper()
	r, err := dir.Open(base)
	s.must(err)
	defer r.Close()
	info, err := r.Info()
	s.must(err)
	sum, block := sha256.New(), s.block[:]
	for at := int64(0); at < info.Size; {
		start, _, err := r.NextData(at, info.Size)
		s.must(err)
		if start == info.Size {
			break
		}
		at = start / int64(len(block)) * int64(len(block))
		n, err := r.ReadAt(block, at)
		if !errors.Is(err, io.EOF) {
			s.must(err)
		}
		if len(bytes.Trim(block[:n], "\x00")) > 0 {
			_, _ = fmt.Fprintf(sum, "%d %d\n", at, n)
			sum.Write(block[:n])
		}
		at += int64(n)
	}
	attributes, err := r.Xattrs()
	s.must(err)
	return fmt.Sprintf("%d %x%s", info.Size, sum.Sum(nil)[:8], describe(attributes))
}

func (s *snapshooter) folder(dir endpoint.Dir, base, path string) string {
	s.Helper()
	folder, err := dir.OpenDir(base)
	s.must(err)
	defer folder.Close()
	s.must(folder.List(func(e endpoint.Entry) error {
		s.add(folder, e.Name, strings.TrimPrefix(path+"/"+e.Name, "./"))
		return nil
	}))
	attributes, err := folder.Xattrs()
	s.must(err)
	return describe(attributes)
}

func describe(attributes []endpoint.Xattr) string {
	sort.Slice(attributes, func(i, j int) bool { return attributes[i].Name < attributes[j].Name })
	all := ""
	for _, a := range attributes {
		all += fmt.Sprintf(" %q=%q", a.Name, a.Value)
	}
	return all
}

func (b *bench) same(got, want string) {
	b.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			b.Fatalf("trees differ:\n got %s\nwant %s", g[i], w[i])
		}
	}
	b.Fatalf("trees differ: %d names, want %d", len(g), len(w))
}

// holds checks which names a folder holds.
func (b *bench) holds(dir string, want ...string) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	b.must(err)
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	sort.Strings(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.Fatalf("%s holds %q, want %q", dir, got, want)
	}
}

func (b *bench) gone(path string) {
	b.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		b.Fatalf("%s is still there (%v)", path, err)
	}
}

// fails checks the code of err and returns its failure.
func (b *bench) fails(err error, code failure.Code) *failure.Error {
	b.Helper()
	if failure.CodeOf(err) != code {
		b.Fatalf("failed with %q, want %q: %v", failure.CodeOf(err), code, err)
	}
	return failure.From(err)
}

// journal is an Observer that writes down what it is told, and may interfere.
type journal struct {
	mu            sync.Mutex
	events        []transfer.Event
	progress      transfer.Progress
	intents       []transfer.Intent
	busy          atomic.Int32
	clashed       atomic.Bool
	onEvent       func(transfer.Event) error
	beforePublish func(transfer.Intent) error
	beforeInherit func() error
	takenBack     int // times that an intent came to nothing
}

func (j *journal) enter() func() {
	if j.busy.Add(1) > 1 {
		j.clashed.Store(true)
	}
	return func() { j.busy.Add(-1) }
}

func (j *journal) Event(_ context.Context, event transfer.Event) error {
	defer j.enter()()
	j.mu.Lock()
	j.events = append(j.events, event)
	j.mu.Unlock()
	if j.onEvent != nil {
		return j.onEvent(event)
	}
	return nil
}

func (j *journal) Progress(p transfer.Progress) {
	defer j.enter()()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.progress = p
}

// NotPublished drops the intents that came to nothing.
func (j *journal) NotPublished(context.Context) error {
	defer j.enter()()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.intents = nil
	j.takenBack++
	return nil
}

func (j *journal) BeforeInherit(context.Context) error {
	defer j.enter()()
	if j.beforeInherit != nil {
		return j.beforeInherit()
	}
	return nil
}

func (j *journal) BeforePublish(_ context.Context, intent transfer.Intent) error {
	defer j.enter()()
	j.mu.Lock()
	j.intents = append(j.intents, intent)
	j.mu.Unlock()
	if j.beforePublish != nil {
		return j.beforePublish(intent)
	}
	return nil
}

func (j *journal) kinds() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	kinds := []string{}
	for _, e := range j.events {
		kinds = append(kinds, string(e.Kind))
	}
	return strings.Join(kinds, " ")
}

func (j *journal) figures(kind transfer.EventKind) transfer.Figures {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Kind == kind {
			return e.Figures
		}
	}
	return nil
}
