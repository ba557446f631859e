package shelltools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

func TestSeveralCallsMakeOneTree(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		var group errgroup.Group
		all := make([][]endpoint.Item, limits.Calls)
		for call := range all {
			for i := range 60 {
				all[call] = append(all[call], file(fmt.Sprintf("ção/%d/in/%d", i%7, call*100+i), "x"))
			}
			group.Go(func() error { return far.write(t.Context(), all[call], true) })
		}
		fails(t, group.Wait())
		for _, items := range all {
			for _, item := range items {
				isThere(t, far, item)
			}
		}
	})
}

var errLost = failure.New(failure.PortalUnreachable, "", "The connection is lost")

// breaking starts programs whose connection is lost once they were sent so many bytes.
type breaking struct {
	*machine
	after int
}

func (b breaking) Start(ctx context.Context, command remote.Command) (remote.Process, error) {
	p, err := b.machine.Start(ctx, command)
	return &broken{Process: p, left: b.after}, err
}

type broken struct {
	remote.Process
	left int
}

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		_ = b.Close()
		return 0, errLost
	}
	return b.Process.Write(p)
}

func (b *broken) Wait() error {
	_ = b.Close()
	_ = b.Process.Wait()
	return errLost
}

func TestALostConnectionIsToldAsSuch(t *testing.T) {
	t.Parallel()
	whole := newFar(t, newMachine(t, nil))
	fails(t, os.WriteFile(whole.path+"/x", []byte("x"), 0o600))
	far := &far{machine: whole.machine, path: whole.path, tools: whole.tools, dir: Decorate(whole.plain, whole.path, breaking{whole.machine, 100 << 10}, whole.tools)}
	if err := far.write(t.Context(), []endpoint.Item{file("a", strings.Repeat("x", 2<<20))}, false); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Error(err)
	}
	if _, err := far.read(t.Context(), []string{"x"}); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Error(err)
	}
	if _, err := far.dir.(endpoint.Digester).Digests(t.Context(), []string{"x"}); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Error(err)
	}
}

func TestAHostThatStartsNothingMoreSaysSo(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, nil))
	far.dir = Decorate(far.plain, far.path, refuser{}, far.tools)
	if err := far.write(t.Context(), []endpoint.Item{file("a", "x")}, false); !errors.Is(err, remote.ErrRefused) {
		t.Error(err)
	}
	if names, _ := os.ReadDir(far.path); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
}

func TestWritingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	far.onStart = func(*os.Process) { cancel() }
	if err := far.write(ctx, []endpoint.Item{file("a", strings.Repeat("x", 1<<20))}, true); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFarFoldersHaveJustTheAbilitiesOfTheirTools(t *testing.T) {
	t.Parallel()
	plain := openLocal(t, t.TempDir())
	for tools, want := range map[Tools]string{
		{}: "", {Tar: "gnu"}: "wr", {Unzip: true}: "w", {XXH64Sum: true}: "d", {Tar: "bsd", Unzip: true, XXH64Sum: true}: "wrd", {Unzip: true, XXH64Sum: true}: "wd",
	} {
		dir, got := Decorate(plain, "/x", nil, tools), ""
		if _, ok := dir.(endpoint.BulkWriter); ok {
			got += "w"
		}
		if _, ok := dir.(endpoint.BulkReader); ok {
			got += "r"
		}
		if _, ok := dir.(endpoint.Digester); ok {
			got += "d"
		}
		if got != want || endpoint.Unwrap(dir) != plain {
			t.Errorf("%+v gives %q, want %q", tools, got, want)
		}
	}
	if dir := Decorate(plain, "relative", nil, Tools{Tar: "gnu"}); dir != plain {
		t.Error("a relative path was taken")
	}
}

// BenchmarkSmallFiles says what a call costs without a network.
func BenchmarkSmallFiles(b *testing.B) {
	for _, kib := range []int{1, 16} {
		b.Run(fmt.Sprint(kib, "KiB"), func(b *testing.B) {
			root := b.TempDir()
			plain := openLocal(b, root)
			m := &machine{login: []string{"sh", "-c"}, path: os.Getenv("PATH")}
			tools, err := Probe(b.Context(), m)
			if err != nil {
				b.Fatal(err)
			}
			dir := Decorate(plain, root, m, tools)
			data := []byte(strings.Repeat("x", kib<<10))
			n := 0
			for b.Loop() {
				items := make([]endpoint.Item, 1000)
				paths := make([]string, len(items))
				for i := range items {
					paths[i] = fmt.Sprintf("run %d/%d", n, i)
					items[i] = endpoint.Item{Path: paths[i], Data: data, Mode: 0o644, SetMode: true, ModAt: then}
				}
				n++
				timed(b, "write", func() error { return dir.(endpoint.BulkWriter).WriteAll(b.Context(), items, false) })
				timed(b, "digest", func() error { _, err := dir.(endpoint.Digester).Digests(b.Context(), paths); return err })
				timed(b, "read", func() error {
					return dir.(endpoint.BulkReader).ReadAll(b.Context(), paths, 0, false, func(_ int, file endpoint.Whole) error { return file.Err })
				})
			}
		})
	}
}

// timed reports how many milliseconds fn took, the last time.
func timed(b *testing.B, what string, fn func() error) {
	b.Helper()
	begun := time.Now()
	if err := fn(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms/"+what)
}
