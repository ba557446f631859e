package endpointtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// Lack is something that an endpoint has no way to do, and that Capabilities have no word for.
type Lack int

// The lacks.
const (
	LinkTimes Lack = iota // SetModTime leaves symbolic links as they are
)

// Run runs the conformance suite. open makes an empty folder of the endpoint, which is removed with the test.
func Run(t *testing.T, open func(t *testing.T) endpoint.Dir, lacks ...Lack) {
	rules := map[string]func(*testing.T, endpoint.Dir){
		"what was written is read":               writtenIsRead,
		"any byte but slash and NUL is a name":   anyName,
		"what is no name is refused":             noName,
		"nothing is followed":                    nothingFollowed,
		"rename never replaces":                  renameNeverReplaces,
		"rename takes a tree along":              renameTree,
		"create and mkdir never replace":         createNeverReplaces,
		"list tells every name once":             listAll,
		"names may be removed while listing":     removeWhileListing,
		"a thousand folders may nest":            deepNesting,
		"modes and times are kept":               modesAndTimes,
		"what is missing is ErrNotExist":         missing,
		"a folder that isn't empty stays":        notEmptyStays,
		"a lock excludes others until it's gone": lockExcludes,
		"a file reads at any offset":             readAt,
		"a link is a second name of one file":    linkIsTheFile,
		"a file may be gone on with":             reopenGoesOn,
		"a file is written in any order":         writeAtAnyOffset,
		"truncate grows by a hole and cuts":      truncateGrowsAndCuts,
		"reserving keeps the size":               preallocateKeepsTheSize,
		"a clone has the bytes, or nothing":      cloneHasTheBytes,
		"the storage copies just what was asked": copyFromCopiesAStretch,
		"data is told from holes":                dataIsToldFromHoles,
		"attributes come back":                   attributesComeBack,
		"attributes come back, however many":     manyAttributesComeBack,
		"publish is a rename":                    publishIsARename,
		"what may be made and read is told":      whatIsAllowedIsTold,
		"a link has a time of its own":           linkHasItsOwnTime,
	}
	if slices.Contains(lacks, LinkTimes) {
		delete(rules, "a link has a time of its own")
		rules["a link's time is left alone"] = linkTimeIsLeftAlone
	}
	for rule, check := range rules {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func put(t *testing.T, dir endpoint.Dir, name, content string) {
	t.Helper()
	w, err := dir.Create(name, 0o600)
	ok(t, err)
	_, err = io.WriteString(w, content)
	ok(t, err)
	ok(t, w.Close())
}

func get(t *testing.T, dir endpoint.Dir, name string) string {
	t.Helper()
	r, err := dir.Open(name)
	ok(t, err)
	defer r.Close()
	content, err := io.ReadAll(r)
	ok(t, err)
	return string(content)
}

func names(t *testing.T, dir endpoint.Dir) []string {
	t.Helper()
	var all []string
	ok(t, dir.List(func(e endpoint.Entry) error {
		all = append(all, e.Name)
		return nil
	}))
	sort.Strings(all)
	return all
}

func sub(t *testing.T, dir endpoint.Dir, name string) endpoint.Dir {
	t.Helper()
	ok(t, dir.Mkdir(name, 0o700))
	opened, err := dir.OpenDir(name)
	ok(t, err)
	t.Cleanup(func() { opened.Close() })
	return opened
}

func writtenIsRead(t *testing.T, dir endpoint.Dir) {
	for _, size := range []int{0, 1, 4095, 1<<20 + 1} {
		name := fmt.Sprint(size)
		want := strings.Repeat("k", size)
		put(t, dir, name, want)
		if get(t, dir, name) != want {
			t.Errorf("%d bytes came back different", size)
		}
		info, err := dir.Lstat(name)
		ok(t, err)
		if info.Type != endpoint.File || info.Size != int64(size) {
			t.Errorf("Lstat of %d bytes says %+v", size, info)
		}
	}
}

func anyName(t *testing.T, dir endpoint.Dir) {
	all := []string{"new\nline", "\xff\xfe not utf-8", "-rf", `back\slash`, "a b", "é", "*?[", "...", ".DS_Store",
		strings.Repeat("x", 255), "\x01", `"quoted"`}
	for _, name := range all {
		put(t, dir, name, name)
	}
	sort.Strings(all)
	if got := names(t, dir); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", all) {
		t.Errorf("listed %q, want %q", got, all)
	}
	for _, name := range all {
		if get(t, dir, name) != name {
			t.Errorf("%q came back different", name)
		}
	}
}

func noName(t *testing.T, dir endpoint.Dir) {
	for _, name := range []string{"", ".", "..", "a/b", "/a", "a/", "a\x00b"} {
		_, lstat := dir.Lstat(name)
		_, open := dir.Open(name)
		_, openDir := dir.OpenDir(name)
		_, create := dir.Create(name, 0o600)
		_, readlink := dir.Readlink(name)
		for _, err := range []error{lstat, open, openDir, create, readlink, dir.Mkdir(name, 0o700), dir.Remove(name),
			dir.RemoveDir(name), dir.Symlink("x", name), dir.Rename(name, dir, "to"), dir.Rename("from", dir, name),
			dir.Link(name, dir, "to"), dir.Link("from", dir, name), reopens(dir, name), publishes(dir, name, "to"),
			publishes(dir, "from", name), dir.SetMode(name, 0o700), dir.SetModTime(name, time.Now()), dir.CanRemove(name, true),
			dir.CanRead(name)} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%q: error is %v, want EINVAL", name, err)
			}
		}
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("it left %q", got)
	}
}

func whatIsAllowedIsTold(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "x")
	ok(t, dir.CanMake())
	ok(t, dir.CanRead("file"))
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("asking left %q", got)
	}
}

func nothingFollowed(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "content")
	sub(t, dir, "folder")
	for link, target := range map[string]string{"to file": "file", "to folder": "folder", "dangling": "nowhere"} {
		ok(t, dir.Symlink(target, link))
		got, err := dir.Readlink(link)
		ok(t, err)
		if got != target {
			t.Errorf("%s leads to %q, want %q", link, got, target)
		}
		info, err := dir.Lstat(link)
		ok(t, err)
		if info.Type != endpoint.Symlink {
			t.Errorf("Lstat of %s says %+v", link, info)
		}
		if _, err := dir.Open(link); err == nil {
			t.Errorf("Open followed %s", link)
		}
		if _, err := dir.OpenDir(link); err == nil {
			t.Errorf("OpenDir followed %s", link)
		}
		if _, err := dir.Create(link, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create over %s: %v", link, err)
		}
		if reopens(dir, link) == nil {
			t.Errorf("Reopen followed %s", link)
		}
		if err := dir.SetMode(link, 0o777); err == nil {
			t.Errorf("SetMode took %s", link)
		}
	}
	if file, err := dir.Lstat("file"); err != nil || file.Mode != 0o600 {
		t.Errorf("file %+v, %v", file, err)
	}
}

func linkHasItsOwnTime(t *testing.T, dir endpoint.Dir) {
	when := time.Unix(1234567890, 0)
	if link, file := linkTimes(t, dir, when); !link.Equal(when) || file.Equal(when) {
		t.Errorf("link has %v, file %v", link, file)
	}
}

func linkTimeIsLeftAlone(t *testing.T, dir endpoint.Dir) {
	when := time.Unix(1234567890, 0)
	if link, file := linkTimes(t, dir, when); link.Equal(when) || file.Equal(when) {
		t.Errorf("link has %v, file %v", link, file)
	}
}

// linkTimes are those of a link that was given a time, and of the file that it leads to.
func linkTimes(t *testing.T, dir endpoint.Dir, when time.Time) (link, file time.Time) {
	t.Helper()
	put(t, dir, "file", "content")
	ok(t, dir.Symlink("file", "to file"))
	ok(t, dir.SetModTime("to file", when))
	of, err := dir.Lstat("to file")
	ok(t, err)
	there, err := dir.Lstat("file")
	ok(t, err)
	return of.ModAt, there.ModAt
}

func renameNeverReplaces(t *testing.T, dir endpoint.Dir) {
	other := sub(t, dir, "other")
	put(t, dir, "file", "new")
	sub(t, dir, "folder")
	put(t, other, "taken", "old")
	sub(t, other, "empty")
	ok(t, other.Symlink("nowhere", "dangling"))
	for _, from := range []string{"file", "folder"} {
		for _, to := range []string{"taken", "empty", "dangling"} {
			is(t, dir.Rename(from, other, to), fs.ErrExist)
		}
		is(t, dir.Rename(from, dir, "other"), fs.ErrExist)
	}
	if got := get(t, other, "taken"); got != "old" {
		t.Errorf("taken holds %q now", got)
	}
	if got := names(t, dir); len(got) != 3 {
		t.Errorf("left %q", got)
	}
}

func renameTree(t *testing.T, dir endpoint.Dir) {
	put(t, sub(t, sub(t, dir, "a"), "b"), "c", "content")
	before, err := dir.Lstat("a")
	ok(t, err)
	to := sub(t, dir, "to")
	ok(t, dir.Rename("a", to, "moved"))
	after, err := to.Lstat("moved")
	ok(t, err)
	if after.Inode != before.Inode || after.Device != before.Device {
		t.Error("a renamed folder is another one")
	}
	is(t, dir.Rename("a", to, "again"), fs.ErrNotExist)
}

func createNeverReplaces(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "content")
	sub(t, dir, "folder")
	for _, name := range []string{"file", "folder"} {
		_, err := dir.Create(name, 0o600)
		is(t, err, fs.ErrExist)
		is(t, dir.Mkdir(name, 0o700), fs.ErrExist)
		is(t, dir.Symlink("x", name), fs.ErrExist)
	}
	if get(t, dir, "file") != "content" {
		t.Error("the file changed")
	}
}

func listAll(t *testing.T, dir endpoint.Dir) {
	const n = 3000 // more than a read of the folder returns
	for i := range n {
		put(t, dir, fmt.Sprintf("%04d", i), "")
	}
	for round := range 2 { // it begins afresh each time
		got := names(t, dir)
		if len(got) != n || got[0] != "0000" || got[n-1] != "2999" {
			t.Errorf("round %d: %d names", round, len(got))
		}
	}
	stop := errors.New("stop")
	is(t, dir.List(func(endpoint.Entry) error { return stop }), stop)
}

func removeWhileListing(t *testing.T, dir endpoint.Dir) {
	for i := range 1500 {
		put(t, dir, fmt.Sprintf("%04d", i), "")
	}
	for len(names(t, dir)) > 0 {
		ok(t, dir.List(func(e endpoint.Entry) error { return dir.Remove(e.Name) }))
	}
}

func deepNesting(t *testing.T, dir endpoint.Dir) {
	at := dir
	for range 1000 {
		ok(t, at.Mkdir("d", 0o700))
		next, err := at.OpenDir("d")
		ok(t, err)
		if at != dir {
			ok(t, at.Close())
		}
		at = next
	}
	put(t, at, "bottom", "deep")
	if get(t, at, "bottom") != "deep" {
		t.Error("the bottom is wrong")
	}
	ok(t, at.Close())
}

func modesAndTimes(t *testing.T, dir endpoint.Dir) {
	when := time.Unix(1700000000, 123456789)
	sub(t, dir, "folder")
	w, err := dir.Create("file", 0o600)
	ok(t, err)
	ok(t, w.SetMode(0o444))
	ok(t, w.SetModTime(when))
	ok(t, w.Close())
	ok(t, dir.SetMode("folder", 0o2555))
	ok(t, dir.SetModTime("folder", when))
	step := dir.Capabilities().ModTimeStep
	for name, mode := range map[string]uint32{"file": 0o444, "folder": 0o2555} {
		info, err := dir.Lstat(name)
		ok(t, err)
		if info.Mode != mode || !info.ModAt.Truncate(step).Equal(when.Truncate(step)) {
			t.Errorf("%s has mode %o and time %v", name, info.Mode, info.ModAt)
		}
	}
	ok(t, dir.SetMode("folder", 0o700))
}

func missing(t *testing.T, dir endpoint.Dir) {
	_, lstat := dir.Lstat("x")
	_, open := dir.Open("x")
	_, openDir := dir.OpenDir("x")
	_, readlink := dir.Readlink("x")
	for _, err := range []error{lstat, open, openDir, readlink, dir.Remove("x"), dir.RemoveDir("x"),
		dir.SetMode("x", 0o700), dir.SetModTime("x", time.Now()), dir.CanRemove("x", true), dir.Rename("x", dir, "y"),
		dir.Link("x", dir, "y"), reopens(dir, "x"), publishes(dir, "x", "y")} {
		is(t, err, fs.ErrNotExist)
	}
}

func notEmptyStays(t *testing.T, dir endpoint.Dir) {
	put(t, sub(t, dir, "folder"), "file", "")
	is(t, dir.RemoveDir("folder"), syscall.ENOTEMPTY)
	if dir.Remove("folder") == nil {
		t.Error("Remove removed a folder")
	}
}

func lockExcludes(t *testing.T, dir endpoint.Dir) {
	first := sub(t, dir, "folder")
	if err := first.TryLock(); errors.Is(err, errors.ErrUnsupported) {
		if dir.Capabilities().Locks {
			t.Error("it says that it has locks")
		}
		return // nothing is promised
	} else {
		ok(t, err)
	}
	second, err := dir.OpenDir("folder")
	ok(t, err)
	defer second.Close()
	is(t, second.TryLock(), syscall.EWOULDBLOCK)
	ok(t, dir.Rename("folder", dir, "renamed"))
	is(t, second.TryLock(), syscall.EWOULDBLOCK) // the lock goes with the folder
	ok(t, first.Close())
	ok(t, second.TryLock())
}

func readAt(t *testing.T, dir endpoint.Dir) {
	put(t, dir, "file", "0123456789")
	r, err := dir.Open("file")
	ok(t, err)
	defer r.Close()
	p := make([]byte, 4)
	if n, err := r.ReadAt(p, 3); n != 4 || err != nil || string(p) != "3456" {
		t.Errorf("read %q, %d, %v", p, n, err)
	}
	if n, err := r.ReadAt(p, 8); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
}
