package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// cutOnce cuts the first process after n bytes to it or from it.
func cutOnce(n int, toServer bool) func(int) (int, int) {
	return func(start int) (int, int) {
		switch {
		case start > 0:
			return -1, -1
		case toServer:
			return n, -1
		default:
			return -1, n
		}
	}
}

// size tells how many bytes a piece of work moves in each direction.
func measure(t *testing.T, work func(t *testing.T, s *Storage, dir endpoint.Dir, root string)) (to, from int) {
	t.Helper()
	var sent, got atomic.Int64
	m := &counting{memory: memory{t: t}, sent: &sent, got: &got}
	root := t.TempDir()
	s, dir := openAt(t, newPool(t, m, Options{}), root)
	work(t, s, dir, root)
	return int(sent.Load()), int(got.Load())
}

// atEveryCut does a piece of work on connections of which the first is cut after so and so many bytes.
func atEveryCut(t *testing.T, work func(t *testing.T, s *Storage, dir endpoint.Dir, root string)) {
	to, from := measure(t, work)
	for _, direction := range []struct {
		toServer bool
		bytes    int
	}{{true, to}, {false, from}} {
		step := max(1, direction.bytes/60)
		if direction.bytes < 4000 {
			step = 7
		}
		for n := 70; n < direction.bytes; n += step {
			t.Run(fmt.Sprintf("to agent %v, %d of %d bytes", direction.toServer, n, direction.bytes), func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				p := newPool(t, &memory{t: t, cuts: cutOnce(n, direction.toServer)}, Options{Greeting: time.Minute})
				s, err := p.Open(context.Background(), root)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				place, err := s.Locate(root)
				if err != nil {
					t.Fatalf("Locate: %v", err)
				}
				work(t, s, place.Dir, root)
			})
		}
	}
}

// must is for what is tried again until it succeeds.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// may is for what is not tried again: if it fails, then as unreachable.
func may(t *testing.T, what string, err error) bool {
	t.Helper()
	if err != nil && failure.CodeOf(err) != failure.PortalUnreachable {
		t.Fatalf("%s: %v", what, err)
	}
	return err == nil
}

func TestAWriterGoesOnAfterItsProcessIsLost(t *testing.T) {
	t.Parallel()
	atEveryCut(t, func(t *testing.T, _ *Storage, dir endpoint.Dir, root string) {
		w, err := dir.Create("file", 0o600)
		if !may(t, "create", err) {
			return
		}
		content := []byte(strings.Repeat("0123456789abcdef", 20_000))
		for at := 0; at < len(content); at += 50_000 {
			_, err := w.WriteAt(content[at:min(len(content), at+50_000)], int64(at))
			must(t, "write", err)
		}
		must(t, "mode", w.SetMode(0o640))
		when := time.Unix(1700000000, 123456789)
		must(t, "time", w.SetModTime(when))
		must(t, "sync", w.Sync())
		must(t, "close", w.Close())
		got, err := os.ReadFile(filepath.Join(root, "file"))
		must(t, "look", err)
		if !bytes.Equal(got, content) {
			t.Errorf("%d bytes came, or others", len(got))
		}
		info, err := dir.Lstat("file")
		must(t, "lstat", err)
		if info.Mode != 0o640 || !info.ModAt.Equal(when) {
			t.Errorf("it is %+v", info)
		}
	})
}

func TestWhatMakesNoDifferenceIsAskedAgain(t *testing.T) {
	t.Parallel()
	atEveryCut(t, func(t *testing.T, s *Storage, dir endpoint.Dir, root string) {
		must(t, "prepare", os.WriteFile(filepath.Join(root, "file"), []byte("content"), 0o600))
		_, err := dir.Lstat("file")
		must(t, "lstat", err)
		must(t, "mode", dir.SetMode("file", 0o644))
		must(t, "time", dir.SetModTime("file", time.Unix(5, 0)))
		_, err = dir.Space()
		must(t, "space", err)
		must(t, "sync", dir.Sync())
		r, err := dir.Open("file")
		must(t, "open", err)
		defer r.Close()
		got, err := io.ReadAll(r)
		must(t, "read", err)
		if string(got) != "content" {
			t.Errorf("read %q", got)
		}
		p := make([]byte, 3)
		_, err = r.ReadAt(p, 2)
		must(t, "read at", err)
		sums, err := dir.(endpoint.Digester).Digests(context.Background(), []string{"file"})
		must(t, "digests", err)
		if sums[0].Err != nil || sums[0].Size != 7 {
			t.Errorf("digest %+v", sums[0])
		}
		_, err = s.Locate(root)
		must(t, "locate", err)
	})
}

func TestWhatMayHaveBeenDoneIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	atEveryCut(t, func(t *testing.T, _ *Storage, dir endpoint.Dir, root string) {
		if may(t, "mkdir", dir.Mkdir("a", 0o700)) {
			if _, err := os.Lstat(filepath.Join(root, "a")); err != nil {
				t.Error("it says that it made a folder")
			}
		}
		may(t, "symlink", dir.Symlink("x", "link"))
		w, err := dir.Create("file", 0o600)
		if may(t, "create", err) {
			must(t, "close", w.Close())
		}
		if _, err := os.Lstat(filepath.Join(root, "file")); err == nil && may(t, "rename", dir.Rename("file", dir, "renamed")) {
			may(t, "remove", dir.Remove("renamed"))
		}
		err = dir.(endpoint.BulkWriter).WriteAll(context.Background(), items(40, 1000), false)
		if may(t, "write all", err) {
			for _, item := range items(40, 1000) {
				if got, err := os.ReadFile(filepath.Join(root, item.Path)); err != nil || !bytes.Equal(got, item.Data) {
					t.Fatalf("%s has %d bytes, %v", item.Path, len(got), err)
				}
			}
		}
	})
}

func TestAFileThatIsGoneIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	m := &memory{t: t}
	s, dir := openAt(t, newPool(t, m, Options{}), root)
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	must(t, "sync", w.Sync())
	must(t, "swap", errors.Join(os.Rename(filepath.Join(root, "file"), filepath.Join(root, "taken")), os.WriteFile(filepath.Join(root, "file"), nil, 0o600)))
	s.lanes[0].ready().fail(errCut)
	_, _ = w.WriteAt([]byte("x"), 0)
	if err := w.Close(); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("it went on with another file: %v", err)
	}
	for _, name := range []string{"file", "taken"} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || len(got) > 0 {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

func TestALockIsAskedForAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, dir := openAt(t, newPool(t, &memory{t: t}, Options{LockWait: 10 * time.Second}), root)
	must(t, "lock", dir.TryLock())
	s.lanes[0].ready().fail(errCut)
	_, err := dir.Lstat("nothing")
	if !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	_, other := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	if err := other.TryLock(); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("somebody else has it now: %v", err)
	}
}

func TestALockThatSomebodyElseHasByThenEndsEverything(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	taken := make(chan struct{})
	after := sync.OnceFunc(func() { close(taken) })
	t.Cleanup(after)
	m := &memory{t: t, cuts: func(start int) (int, int) {
		if start > 0 {
			<-taken // else it would be there again before anybody else
		}
		return -1, -1
	}}
	s, dir := openAt(t, newPool(t, m, Options{LockWait: 20 * time.Millisecond}), root)
	must(t, "lock", dir.TryLock())
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	_, other := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	first := s.lanes[0].ready()
	first.fail(errCut)
	<-first.gone
	for other.TryLock() != nil { // until the agent that was lost has ended
		time.Sleep(time.Millisecond)
	}
	after()
	if _, err := dir.Lstat("file"); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("lstat: %v", err)
	}
	_, err = w.WriteAt([]byte("x"), 0)
	if err := errors.Join(err, w.Close()); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("write: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "file")); err != nil || len(got) > 0 {
		t.Errorf("%q was written without the lock", got)
	}
}

func TestAnAgentThatCannotBeReachedIsGivenUp(t *testing.T) {
	t.Parallel()
	m := &memory{t: t, cuts: func(start int) (int, int) {
		if start == 0 {
			return -1, -1
		}
		return 1, -1
	}}
	s, dir := openAt(t, newPool(t, m, Options{}), t.TempDir())
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	s.lanes[0].ready().fail(errCut)
	_, err = dir.Lstat("file")
	_, writing := w.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"lstat": err, "write": errors.Join(writing, w.Close())} {
		if failure.CodeOf(err) != failure.PortalUnreachable {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNoAgentCancelsAJob: only who runs it does.
func TestNoAgentCancelsAJob(t *testing.T) {
	t.Parallel()
	given := &encoder{}
	given.error(context.Canceled)
	if err := (&decoder{b: given.b}).error(); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("what an agent gives up is %v", err)
	}
	s, dir := openAt(t, newPool(t, &memory{t: t}, Options{}), t.TempDir())
	many := items(1200, 0)
	for i := range many { // more than is sent ahead
		many[i].Path = fmt.Sprintf("%0250d", i)
	}
	must(t, "write", writeAll(dir.(*dirOf), many, false))
	err := dir.List(func(endpoint.Entry) error { s.cancel(errCut); return nil })
	if failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("a listing under way ends with %v", err)
	}
}

// TestNothingGoesOnAfterTheHostHasStartedAnew: what was acknowledged before may be lost.
func TestNothingGoesOnAfterTheHostHasStartedAnew(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, dir := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	_, err = w.WriteAt([]byte("x"), 0)
	must(t, "write", err)
	must(t, "sync", w.Sync())
	s.mu.Lock()
	if len(s.epochs) != 1 {
		t.Errorf("the epochs are %v", s.epochs)
	}
	s.epochs = map[string]string{"before/1": root}
	s.mu.Unlock()
	s.lanes[0].ready().fail(errCut)
	_, writing := w.WriteAt([]byte("y"), 1)
	if err := errors.Join(writing, w.Close()); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("write: %v", err)
	}
	if err := dir.Mkdir("folder", 0o700); failure.CodeOf(err) != failure.PortalUnreachable || s.Broken() == nil {
		t.Errorf("make folder: %v", err)
	}
	if all, err := os.ReadFile(filepath.Join(root, "file")); err != nil || string(all) != "x" {
		t.Errorf("the file holds %q, %v", all, err)
	}
}

// TestNothingIsWrittenBesideALostLock: a writer at another process than the lock's has to wait for it, too.
func TestNothingIsWrittenBesideALostLock(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	taken := make(chan struct{})
	m := &memory{t: t, cuts: func(start int) (int, int) {
		if start >= 2 {
			<-taken
		}
		return -1, -1
	}}
	s, dir := openAt(t, newPool(t, m, Options{Connections: 2, LockWait: time.Millisecond}), root)
	must(t, "lock", dir.TryLock())
	first := s.lanes[0].ready()
	_, err := s.lanes[1].get()
	must(t, "second", err)
	first.load.Add(1)
	w, err := dir.Create("file", 0o600)
	must(t, "create", err)
	if w.(*writer).f.home != s.lanes[1] {
		t.Fatal("the file is at the lock's process")
	}
	_, other := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	first.fail(errCut)
	for other.TryLock() != nil {
		time.Sleep(time.Millisecond)
	}
	writing := make(chan error, 1)
	go func() {
		_, err := w.WriteAt([]byte("x"), 0)
		writing <- errors.Join(err, w.Close())
	}()
	close(taken)
	if err := <-writing; !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("write: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "file")); err != nil || len(got) > 0 {
		t.Errorf("%q was written without the lock", got)
	}
}
