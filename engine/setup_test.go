package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
	root := t.TempDir()
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
	b.must(os.Chmod(filepath.Join(top, "a"), 0o444))
	b.must(os.Chmod(filepath.Join(top, "large"), 0o6755))
	b.must(os.Chmod(filepath.Join(top, "read only/file"), 0o444))
	b.must(os.Chmod(filepath.Join(top, "read only"), 0o555))
	b.must(os.Chmod(filepath.Join(top, "empty/empty too"), 0o1700))
	b.age(top)
	b.must(os.Chmod(top, 0o555))
}

// age gives everything in a tree a time of its own in the past, to the nanosecond.
func (b *bench) age(top string) {
	b.Helper()
	when := time.Unix(1_500_000_000, 987_654_321)
	var all []string
	b.must(filepath.WalkDir(top, func(p string, _ fs.DirEntry, err error) error {
		all = append(all, p)
		return err
	}))
	for i := len(all) - 1; i >= 0; i-- {
		when = when.Add(time.Hour + time.Nanosecond)
		b.must(setTime(all[i], when))
	}
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
	var lines []string
	b.must(filepath.WalkDir(top, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		lines = append(lines, describe(b, top, p))
		return nil
	}))
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func describe(b *bench, top, p string) string {
	b.Helper()
	info, err := os.Lstat(p)
	b.must(err)
	rel, err := filepath.Rel(top, p)
	b.must(err)
	what := ""
	switch {
	case info.Mode().IsRegular():
		content, err := os.ReadFile(p)
		b.must(err)
		what = fmt.Sprintf("%d %x", len(content), sha256.Sum256(content))
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		b.must(err)
		what = fmt.Sprintf("-> %q", target)
	}
	return fmt.Sprintf("%q %v %d %s", rel, info.Mode(), info.ModTime().UnixNano(), what)
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
