package dku

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errAltered = errors.New("altered")

// A comparison that finds nothing wrong with a wrong tree would make every smoke test pass.
func TestTheComparisonFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(folder string) error{
		"a byte":         func(f string) error { return os.WriteFile(filepath.Join(f, "take 01.wav"), []byte("RIFX"), 0o644) },
		"one missing":    func(f string) error { return os.Remove(filepath.Join(f, "empty.txt")) },
		"one too many":   func(f string) error { return os.WriteFile(filepath.Join(f, "new"), nil, 0o644) },
		"another name":   func(f string) error { return os.Rename(filepath.Join(f, "empty.txt"), filepath.Join(f, "Empty.txt")) },
		"nothing at all": os.RemoveAll,
	} {
		folder := plant(t)
		if err := sameTree(folder); err != nil {
			t.Fatal(err)
		}
		if err := alter(folder); err != nil {
			t.Fatal(err)
		}
		if sameTree(folder) == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

func TestTheComparisonPassesOverWhatSystemsAdd(t *testing.T) {
	t.Parallel()
	folder := plant(t)
	err := errors.Join(os.WriteFile(filepath.Join(folder, "._take 01.wav"), nil, 0o644),
		os.Mkdir(filepath.Join(folder, "@eaDir"), 0o755), os.WriteFile(filepath.Join(folder, "@eaDir", "index"), nil, 0o644), sameTree(folder))
	if err != nil {
		t.Error(err)
	}
}

func TestASourceThatIsSeenForAWhileAfterItsMoveIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := filepath.Join(t.TempDir(), "source")
		if err := os.Mkdir(source, 0o755); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*time.Second, func() { _ = os.Remove(source) })
		ctx, cancel := context.WithTimeout(t.Context(), network)
		defer cancel()
		if err := gone(ctx, source); err != nil {
			t.Error(err)
		}
	})
}

func TestASourceThatStaysIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), network)
		defer cancel()
		if gone(ctx, t.TempDir()) == nil {
			t.Error("it is there")
		}
	})
}

// A folder that is still being made when the others are removed would come back and stay.
func TestTheCleanUpWaitsForWhoStillMakesTheFolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "folder")
		s := &smoke{folders: []string{folder}, made: make(chan struct{})}
		told := make(chan Finding, 1)
		go func() { told <- s.cleanUp(t.Context()) }()
		synctest.Wait()
		if err := makeTrees(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
		close(s.made)
		f := <-told
		if left, err := filepath.Glob(folder); f.Verdict != OK || err != nil || len(left) > 0 {
			t.Errorf("left %v (%v): %+v", left, err, f)
		}
	})
}

// A worker removes its staging when a job's end is recorded, so who is told of the end may still see it.
func TestStagingThatGoesSoonIsNothingLeft(t *testing.T) {
	t.Parallel()
	for goes, want := range map[bool]Verdict{true: OK, false: Warn} {
		synctest.Test(t, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "folder")
			staging := filepath.Join(folder, "to", ".ketter-a-1-b.partial")
			if err := os.MkdirAll(staging, 0o755); err != nil {
				t.Fatal(err)
			}
			if goes {
				time.AfterFunc(time.Second, func() { _ = os.Remove(staging) })
			}
			s := &smoke{folders: []string{folder}, made: make(chan struct{})}
			close(s.made)
			ctx, cancel := context.WithTimeout(t.Context(), clearing)
			defer cancel()
			if f := s.cleanUp(ctx); f.Verdict != want {
				t.Errorf("it goes: %v: %+v", goes, f)
			}
		})
	}
}

func TestTheCleanUpNamesWhatItCouldNotRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &smoke{folders: []string{"/mnt/gone/folder"}, made: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if f := s.cleanUp(ctx); f.Verdict != Fail || !strings.Contains(f.Advice, "/mnt/gone/folder") {
			t.Errorf("%+v", f)
		}
		close(s.made)
	})
}

func TestWhatIsMadeTooLateIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folder := filepath.Join(t.TempDir(), "folder")
	if err := makeTrees(ctx, folder); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	root := rooted(t, t.TempDir())
	if err := makeTree(t.Context(), root, "folder/from"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what holds it was made too: %v", err)
	}
}

func rooted(t *testing.T, folder string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// plant makes a tree as the smoke test does.
func plant(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := makeTree(t.Context(), rooted(t, folder), "tree"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "tree")
}

// Whoever may write to the allowed root may put a link where a folder was.
func TestNothingIsMadeWhereALinkLeads(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Chmod(elsewhere, 0o700), os.Symlink(elsewhere, filepath.Join(folder, "from"))); err != nil {
		t.Fatal(err)
	}
	if err := makeTree(t.Context(), rooted(t, folder), "from/move"); err == nil {
		t.Error("it was made")
	}
	info, err := os.Stat(elsewhere)
	if entries, _ := os.ReadDir(elsewhere); err != nil || info.Mode().Perm() != 0o700 || len(entries) > 0 {
		t.Errorf("%v, %v, %v", info.Mode(), entries, err)
	}
}

func TestNothingIsRemovedWhereALinkLeads(t *testing.T) {
	t.Parallel()
	root, elsewhere := t.TempDir(), t.TempDir()
	session := filepath.Join(elsewhere, "Session")
	folder := filepath.Join(root, "folder")
	if err := errors.Join(os.Mkdir(session, 0o755), os.WriteFile(filepath.Join(session, "take.wav"), nil, 0o644), os.Mkdir(folder, 0o755),
		os.Symlink(elsewhere, filepath.Join(folder, "to")), os.Symlink(root, filepath.Join(root, "other"))); err != nil {
		t.Fatal(err)
	}
	if err := removeTrees(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if err := removeTrees(t.Context(), filepath.Join(root, "other")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(session, "take.wav")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestNobodyElseGetsInBeforeTheTreesAreMade(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "folder")
	if err := makeTrees(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{".": 0o755, "from": 0o777, "to": 0o777} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
