package staging

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/transfer"
)

func open(t *testing.T, path string) endpoint.Dir {
	t.Helper()
	dir, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func TestNoTwoRunsShareAName(t *testing.T) {
	t.Parallel()
	seen := map[string]transfer.Run{}
	for _, run := range []transfer.Run{
		{Installation: "a", Job: 1, Token: "b"}, {Installation: "a-1", Job: 2, Token: "b"},
		{Installation: "a", Job: 1, Token: "2-b"}, {Installation: "a", Job: 12, Token: "b"},
	} {
		if other, taken := seen[Name(run)]; taken {
			t.Errorf("%+v and %+v are both %s", run, other, Name(run))
		}
		seen[Name(run)] = run
	}
}

func TestPublishNeverReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Create(open(t, dir), ".ketter-a-1-b.partial")
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{".ketter-a-1-b.partial/data/name": "new", "name": "old"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Publish("name"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "name")); err != nil || string(content) != "old" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestParentsRemoveOnlyWhatTheyMadeAndNobodyUses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := MakeParents(open(t, dir), []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := MakeParents(open(t, dir), []string{"a", "b", "d"}) // it saw none of them yet
	if err != nil {
		t.Fatal(err)
	}
	second.Remove()
	second.Close()
	if entries, err := os.ReadDir(filepath.Join(dir, "a/b")); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	first.Remove()
	first.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestALockedStagingIsNotDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := open(t, dir)
	s, err := Create(parent, ".ketter-a-1-b.partial")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := RemoveDead(t.Context(), parent, ".ketter-a-1-b.partial"); !errors.Is(err, ErrAlive) {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, ".ketter-a-1-b.partial/data")); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if err := RemoveDead(t.Context(), parent, ".ketter-a-1-b.partial"); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("it left %v", entries)
	}
}
