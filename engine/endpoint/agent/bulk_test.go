package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
)

func bulkDir(t *testing.T) (*dir, string) {
	t.Helper()
	root := t.TempDir()
	_, d := openAt(t, newPool(t, &memory{t: t}, Options{}), root)
	return d.(*dir), root
}

func TestWriteAllMakesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	d, root := bulkDir(t)
	when := time.Unix(1700000000, 123456789)
	large := bytes.Repeat([]byte("large"), maxData/5)
	all := []endpoint.Item{
		{Path: "a/b/plain", Type: endpoint.File, Data: []byte("plain"), Mode: 0o400, ModAt: when},
		{Path: "a/b/moded", Type: endpoint.File, Mode: 0o4555, SetMode: true, ModAt: when, Xattrs: []endpoint.Xattr{{Name: "user.k", Value: []byte("v")}}},
		{Path: "a/link", Type: endpoint.Symlink, Target: "../out", ModAt: when},
		{Path: "large", Type: endpoint.File, Data: large, Mode: 0o600, ModAt: when},
		{Path: "a/b", Type: endpoint.Folder, Mode: 0o555, SetMode: true, ModAt: when, Xattrs: []endpoint.Xattr{{Name: "user.f", Value: []byte("w")}}},
		{Path: "a", Type: endpoint.Folder, ModAt: when},
		{Path: "empty/\xff\n", Type: endpoint.Folder, Mode: 0o750, SetMode: true, ModAt: when},
		{Path: strings.Repeat("deep/", 2000) + "down", Data: []byte("x"), Mode: 0o600, ModAt: when},
	}
	must(t, "write all", d.WriteAll(context.Background(), all, true))
	for path, want := range map[string]fs.FileMode{"a/b/plain": 0o600, "a/b/moded": 0o555 | fs.ModeSetuid, "a/link": fs.ModeSymlink | 0o777,
		"large": 0o600, "a/b": 0o555 | fs.ModeDir, "a": 0o700 | fs.ModeDir, "empty/\xff\n": 0o750 | fs.ModeDir} {
		info, err := os.Lstat(filepath.Join(root, path))
		if err != nil || info.Mode() != want || !info.ModTime().Equal(when) {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(root, "large")); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	must(t, "leave the time", d.WriteAll(context.Background(), []endpoint.Item{{Path: "a", Type: endpoint.Folder}}, false))
	if info, err := os.Lstat(filepath.Join(root, "a")); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("a folder without a time has %v, %v", info, err)
	}
	r, err := d.OpenDir("a")
	must(t, "open", err)
	b, err := r.OpenDir("b")
	must(t, "open", err)
	if x, err := b.Xattrs(); err != nil || len(x) != 1 {
		t.Errorf("%v, %v", x, err)
	}
}

func TestWriteAllNeverReplacesAndFollowsNothing(t *testing.T) {
	t.Parallel()
	d, root := bulkDir(t)
	out := t.TempDir()
	must(t, "prepare", errors.Join(os.WriteFile(filepath.Join(root, "taken"), []byte("old"), 0o600), os.Symlink(out, filepath.Join(root, "link")),
		os.Symlink("nowhere", filepath.Join(root, "dangling"))))
	good := endpoint.Item{Path: "good", Mode: 0o600, ModAt: time.Now()}
	for path, want := range map[string]error{"taken": syscall.EEXIST, "dangling": syscall.EEXIST, "taken/x": syscall.ENOTDIR,
		"link/x": nil, "../x": syscall.EINVAL, "/x": syscall.EINVAL, "": syscall.EINVAL, "a//b": syscall.EINVAL, "x/.": syscall.EINVAL} {
		for _, kind := range []endpoint.Type{endpoint.File, endpoint.Symlink, endpoint.Folder} {
			if kind == endpoint.Folder && (path == "taken" || path == "dangling") {
				continue
			}
			_ = os.Remove(filepath.Join(root, "good"))
			err := d.WriteAll(context.Background(), []endpoint.Item{good, {Path: path, Type: kind, Data: []byte("x")[:1-min(1, int(kind))], Target: "x", Mode: 0o600, ModAt: time.Now()}}, false)
			var failed *endpoint.BulkError
			if !errors.As(err, &failed) || failed.Index != 1 || want != nil && !errors.Is(err, want) {
				t.Errorf("%d %q: %v", kind, path, err)
			}
			if want == nil && !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) {
				t.Errorf("%d %q: %v", kind, path, err)
			}
		}
	}
	if all, err := os.ReadDir(out); err != nil || len(all) > 0 {
		t.Errorf("it made %v outside", all)
	}
	if got, _ := os.ReadFile(filepath.Join(root, "taken")); string(got) != "old" {
		t.Errorf("it replaced a file by %q", got)
	}
}

func TestWriteAllOfMoreThanItsLimits(t *testing.T) {
	t.Parallel()
	d, root := bulkDir(t)
	must(t, "many", d.WriteAll(context.Background(), items(1500, 3000), false))
	found, err := filepath.Glob(filepath.Join(root, "*/*"))
	if err != nil || len(found) != 1500 {
		t.Errorf("%d were made, %v", len(found), err)
	}
	err = d.WriteAll(context.Background(), append(items(3, 1), endpoint.Item{Path: "x", Data: make([]byte, maxData+1)})[2:], false)
	var failed *endpoint.BulkError
	if !errors.As(err, &failed) || failed.Index != 1 && failed.Index != 0 {
		t.Errorf("too large: %v", err)
	}
	again := append(items(1499, 1), items(1, 1)...)
	for i := range again {
		again[i].Path = fmt.Sprintf("again/%d", i)
	}
	again[1200].Path = again[0].Path
	if err = d.WriteAll(context.Background(), again, false); !errors.As(err, &failed) || failed.Index != 1200 || failed.Op != "create" {
		t.Errorf("the index counts from the first: %v", err)
	}
}

func TestReadAllTellsEachFileInItsOrder(t *testing.T) {
	t.Parallel()
	d, root := bulkDir(t)
	must(t, "write", d.WriteAll(context.Background(), items(1100, 2000), false))
	must(t, "prepare", errors.Join(os.Symlink("00", filepath.Join(root, "link")), os.WriteFile(filepath.Join(root, "large"), make([]byte, maxWhole+1), 0o600),
		os.WriteFile(filepath.Join(root, "just"), make([]byte, maxWhole), 0o600)))
	var paths []string
	for _, item := range items(1100, 2000) {
		paths = append(paths, item.Path)
	}
	odd := map[string]func(w endpoint.Whole) bool{
		"link": func(w endpoint.Whole) bool { return errors.Is(w.Err, syscall.ELOOP) },
		"link/x": func(w endpoint.Whole) bool {
			return errors.Is(w.Err, syscall.ENOTDIR) || errors.Is(w.Err, syscall.ELOOP)
		},
		"missing":   func(w endpoint.Whole) bool { return errors.Is(w.Err, syscall.ENOENT) },
		"missing/x": func(w endpoint.Whole) bool { return errors.Is(w.Err, syscall.ENOENT) },
		"../x":      func(w endpoint.Whole) bool { return errors.Is(w.Err, syscall.EINVAL) },
		"large": func(w endpoint.Whole) bool {
			return w.TooLarge && w.Err == nil && w.Data == nil || w.TooLarge && len(w.Data) == 0
		},
		"00":   func(w endpoint.Whole) bool { return w.TooLarge },
		"just": func(w endpoint.Whole) bool { return len(w.Data) == maxWhole && w.After.Size == maxWhole },
	}
	for path := range odd {
		paths = append(paths[:len(paths)/2], append([]string{path}, paths[len(paths)/2:]...)...)
	}
	next := 0
	must(t, "read all", d.ReadAll(context.Background(), paths, 0, true, func(i int, w endpoint.Whole) error {
		if i != next {
			t.Fatalf("%d came, not %d", i, next)
		}
		next++
		if check := odd[paths[i]]; check != nil {
			if !check(w) {
				t.Errorf("%s: %+v, %d bytes", paths[i], w.Err, len(w.Data))
			}
			return nil
		}
		if w.Err != nil || len(w.Data) != 2000 || w.Before.Size != 2000 || w.After != w.Before {
			t.Errorf("%s: %d bytes, %v", paths[i], len(w.Data), w.Err)
		}
		return nil
	}))
	if next != len(paths) {
		t.Errorf("%d of %d", next, len(paths))
	}
	stop := errors.New("stop")
	if err := d.ReadAll(context.Background(), paths, 0, false, func(int, endpoint.Whole) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := d.ReadAll(ctx, paths, 0, false, func(int, endpoint.Whole) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDigestsAreOfTheFiles(t *testing.T) {
	t.Parallel()
	d, root := bulkDir(t)
	must(t, "write", d.WriteAll(context.Background(), items(600, 700), false))
	must(t, "prepare", os.Symlink("00/00000.wav", filepath.Join(root, "link")))
	paths := []string{"link", "missing", "00"}
	for _, item := range items(600, 700) {
		paths = append(paths, item.Path)
	}
	all, err := d.Digests(context.Background(), paths)
	must(t, "digests", err)
	want := xxhash.Sum64(bytes.Repeat([]byte("k"), 700))
	for i, sum := range all[3:] {
		if sum.Err != nil || sum.Size != 700 || sum.XXH64 != want {
			t.Fatalf("%s: %+v", paths[i+3], sum)
		}
	}
	if !errors.Is(all[0].Err, syscall.ELOOP) || !errors.Is(all[1].Err, syscall.ENOENT) || all[2].Err == nil {
		t.Errorf("%+v", all[:3])
	}
}

// TestAStreamThatNobodyTakesInHoldsNothingUp also where there are more of them than the agent does at once.
func TestAStreamThatNobodyTakesInHoldsNothingUp(t *testing.T) {
	t.Parallel()
	d, _ := bulkDir(t)
	many := items(1200, 0)
	for i := range many {
		many[i].Path = fmt.Sprintf("%0250d", i)
	}
	must(t, "write", writeAll(d, many, false))
	var nest func(depth int) error
	nest = func(depth int) error {
		done := false
		return d.ListInfo(func(string, endpoint.Info) error {
			if done || depth == 0 {
				return nil
			}
			done = true
			return nest(depth - 1)
		})
	}
	must(t, "list", nest(2*maxTasks))
}

func TestALargeFileGoesOverSeveralProcesses(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		root := t.TempDir()
		m := &memory{t: t}
		if cut {
			m.cuts = func(start int) (int, int) {
				if start > 5 {
					return -1, -1
				}
				return 3<<20 + start*777_777, -1
			}
		}
		_, dir := openAt(t, newPool(t, m, Options{Connections: 4}), root)
		want := make([]byte, 64<<20)
		for i := range want {
			want[i] = byte(i>>8 ^ i>>16 ^ i)
		}
		w, err := dir.Create("file", 0o600)
		must(t, "create", err)
		must(t, "write", pumped(int64(len(want)), func(at int64) error { _, err := w.WriteAt(want[at:at+1<<20], at); return err }))
		when := time.Unix(1700000000, 1)
		must(t, "time", w.SetModTime(when))
		must(t, "close", w.Close())
		info, err := dir.Lstat("file")
		must(t, "lstat", err)
		if !info.ModAt.Equal(when) {
			t.Errorf("it was written to after its time was set: %v", info.ModAt)
		}
		if got, err := os.ReadFile(filepath.Join(root, "file")); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut %v: it is different, %v", cut, err)
		}
		r, err := dir.Open("file")
		must(t, "open", err)
		got := make([]byte, len(want))
		must(t, "read", pumped(int64(len(got)), func(at int64) error { _, err := r.ReadAt(got[at:at+1<<20], at); return err }))
		if !bytes.Equal(got, want) {
			t.Errorf("cut %v: it reads different", cut)
		}
		r.Close()
		if n := m.starts.Load(); n < 2 {
			t.Errorf("%d processes were started", n)
		}
	}
}

func TestWhatFailsIsToldAtLast(t *testing.T) {
	t.Parallel()
	d, _ := bulkDir(t)
	w, err := d.Create("file", 0o600)
	must(t, "create", err)
	_, err = w.WriteAt([]byte("x"), math.MaxInt64) // beyond what a file can be
	if err == nil {
		_, err = w.WriteAt([]byte("y"), 0)
	}
	if closed := w.Close(); closed == nil || !errors.Is(closed, syscall.EFBIG) && !errors.Is(closed, syscall.EINVAL) &&
		!errors.Is(closed, syscall.EOVERFLOW) {
		t.Errorf("%v, %v", err, closed)
	}
	if closed := w.Close(); closed != nil {
		t.Errorf("it is closed twice: %v", closed)
	}
}
