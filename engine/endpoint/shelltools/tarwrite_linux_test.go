package shelltools

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

func file(path, data string) endpoint.Item {
	return endpoint.Item{Path: path, Data: []byte(data), Mode: 0o644, SetMode: true, ModAt: then}
}

func link(path, target string) endpoint.Item {
	return endpoint.Item{Path: path, Type: endpoint.Symlink, Target: target, ModAt: then}
}

func folderItem(path string, mode uint32) endpoint.Item {
	return endpoint.Item{Path: path, Type: endpoint.Folder, Mode: mode, SetMode: true, ModAt: then}
}

// hostileTree is a tree of all that a tree may hold.
func hostileTree() []endpoint.Item {
	items := []endpoint.Item{}
	for i, name := range hostile {
		items = append(items, file(name, name), file("in/"+name+"/"+name, strings.Repeat("x", i*700)), link("links/"+name, "to/"+name))
	}
	for i, mode := range []uint32{0o444, 0o500, 0o4755, 0o2711, 0o1600, 0, 0o777} {
		item := file(fmt.Sprint("mode", i), "")
		item.Mode, item.ModAt = mode, time.Unix(int64(-5+i*1e8), int64(i))
		items = append(items, item, folderItem(fmt.Sprint("folder", i), mode))
	}
	deep := strings.Repeat("deep/", 60) + "end"
	items = append(items, file(deep, "deep"), link("abs", "/etc/passwd"), link("up", "../../../etc"), link("self", "self"), link("slash", "a/"),
		link("long", strings.Repeat("t", 1000)), file("ro/file", "x"), folderItem("ro", 0o555), folderItem("ro/empty", 0o700), folderItem("in", 0o755))
	return items
}

// isThere compares an item with what there is.
func isThere(t *testing.T, far *far, item endpoint.Item) {
	t.Helper()
	path := filepath.Join(far.path, item.Path)
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	step := time.Nanosecond
	if far.tools.Tar == "busybox" && item.Type == endpoint.File {
		step = time.Second
	}
	stat := info.Sys().(*syscall.Stat_t)
	if want := item.ModAt; info.ModTime().Sub(want).Abs() >= step {
		t.Errorf("%q has time %v, want %v", item.Path, info.ModTime(), want)
	}
	if item.Type != endpoint.Symlink && stat.Mode&0o7777 != item.Mode {
		t.Errorf("%q has mode %o, want %o", item.Path, stat.Mode&0o7777, item.Mode)
	}
	switch item.Type {
	case endpoint.File:
		if data, err := os.ReadFile(path); err != nil || string(data) != string(item.Data) {
			t.Errorf("%q has %.20q, %v", item.Path, data, err)
		}
	case endpoint.Symlink:
		if target, err := os.Readlink(path); err != nil || target != item.Target {
			t.Errorf("%q leads to %q, %v", item.Path, target, err)
		}
	case endpoint.Folder:
		if !info.IsDir() {
			t.Errorf("%q is no folder", item.Path)
		}
	}
}

func TestATreeArrivesAsItIs(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, uid := range []uint32{0, 65534} {
		t.Run(fmt.Sprint("uid ", uid), func(t *testing.T) {
			t.Parallel()
			eachTar(t, func(t *testing.T, far *far) {
				far = far.as(t, uid)
				items := hostileTree()
				fails(t, far.write(t.Context(), items, true))
				for _, item := range items {
					isThere(t, far, item)
				}
				info, err := os.Lstat(filepath.Join(far.path, "deep"))
				fails(t, err)
				if info.Mode().Perm() != 0o700 {
					t.Errorf("a folder on the way has mode %v", info.Mode())
				}
				nothingWasParsed(t, far)
			})
		})
	}
}

// as returns a folder of its own, in which the programs are another user's.
func (f *far) as(t *testing.T, uid uint32) *far {
	t.Helper()
	if uid == 0 {
		return f
	}
	path := openTempDir(t)
	fails(t, os.Mkdir(path+"/far", 0o755))
	fails(t, os.Chown(path+"/far", int(uid), int(uid)))
	f.uid = uid
	return farAt(t, f.machine, path+"/far")
}

func nothingWasParsed(t *testing.T, far *far) {
	t.Helper()
	for _, at := range []string{far.path, filepath.Dir(far.path), "."} {
		if _, err := os.Lstat(filepath.Join(at, "pwned")); err == nil {
			t.Fatalf("a command was started in %q", at)
		}
	}
}

func TestModesThatAreNotSetAreWhatTheUmaskLeaves(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		plain, run := file("plain", "x"), file("run", "x")
		plain.SetMode, plain.Mode = false, 0o4444
		run.SetMode, run.Mode = false, 0o777
		folder := folderItem("f", 0o777)
		folder.SetMode = false
		fails(t, far.write(t.Context(), []endpoint.Item{plain, run, folder}, false))
		umask := far.tools.umask
		plain.Mode, run.Mode, folder.Mode = 0o444&^umask|0o600, 0o777&^umask, 0o777&^umask
		for _, item := range []endpoint.Item{plain, run, folder} {
			isThere(t, far, item)
		}
	})
}

func TestWhatExistsIsNeverReplaced(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		old := func(name string) string { return filepath.Join(far.path, name) }
		fails(t, os.WriteFile(old("file"), []byte("old"), 0o600))
		fails(t, os.Symlink("nowhere", old("link")))
		fails(t, os.Symlink(t.TempDir(), old("away")))
		fails(t, os.Mkdir(old("folder"), 0o755))
		for _, item := range []endpoint.Item{file("file", "new"), file("link", "new"), file("folder", "new"), file("away", "new"), link("file", "new"), link("link", "new"), link("away", "x")} {
			err := far.write(t.Context(), []endpoint.Item{file("before-"+string(item.Path)+fmt.Sprint(item.Type), "x"), item}, false)
			var bulk *endpoint.BulkError
			if !errors.Is(err, syscall.EEXIST) || !errors.As(err, &bulk) || bulk.Index != 1 {
				t.Errorf("%q: %v", item.Path, err)
			}
		}
		if data, _ := os.ReadFile(old("file")); string(data) != "old" {
			t.Errorf("the file is %q", data)
		}
		if target, _ := os.Readlink(old("link")); target != "nowhere" {
			t.Errorf("the link leads to %q", target)
		}
	})
}

func TestNoSymbolicLinkIsFollowed(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		outside := t.TempDir()
		fails(t, os.Symlink(outside, filepath.Join(far.path, "away")))
		for _, item := range []endpoint.Item{file("away/x", "x"), file("away/in/x", "x"), folderItem("away/in", 0o700), folderItem("away", 0o700), link("away/l", "x")} {
			err := far.write(t.Context(), []endpoint.Item{item}, false)
			if !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EEXIST) {
				t.Errorf("%q: %v", item.Path, err)
			}
		}
		err := far.write(t.Context(), []endpoint.Item{link("l", outside), file("l/x", "x")}, false)
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Error(err)
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("outside is %v", left)
		}
		if target, _ := os.Readlink(filepath.Join(far.path, "away")); target != outside {
			t.Errorf("the link leads to %q", target)
		}
	})
}

func TestWhatCantBeBroughtIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		attributed := file("x", "x")
		attributed.Xattrs = []endpoint.Xattr{{Name: "user.a"}}
		for want, items := range map[error][]endpoint.Item{
			errors.ErrUnsupported: {file("a", ""), attributed},
			syscall.EINVAL:        {file("a", ""), file("../a", "")},
			syscall.EEXIST:        {file("a", ""), file("a", "")},
			syscall.ENOTDIR:       {file("a/b", ""), file("a", "")},
		} {
			before := far.started.Load()
			if err := far.write(t.Context(), items, false); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if far.started.Load() != before {
				t.Error("a command was started")
			}
		}
	})
}

func TestANameThatIsTooLongSaysSo(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		err := far.write(t.Context(), []endpoint.Item{file("a", ""), file(strings.Repeat("n", 256), "")}, false)
		var bulk *endpoint.BulkError
		if !errors.Is(err, syscall.ENAMETOOLONG) || !errors.As(err, &bulk) || bulk.Index != 1 {
			t.Error(err)
		}
	})
}

func TestAProgramThatIsKilledIsAnError(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		far.onStart = func(process *os.Process) { _ = process.Kill() }
		var bulk *endpoint.BulkError
		if err := far.write(t.Context(), []endpoint.Item{file("a", strings.Repeat("x", 1<<20))}, true); !errors.As(err, &bulk) || !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
	})
}

func TestAFolderThatWasMovedAwayIsGone(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		fails(t, os.Rename(far.path, far.path+"2"))
		fails(t, os.Symlink(far.path+"2", far.path))
		if err := far.write(t.Context(), []endpoint.Item{file("a", "x")}, true); !errors.Is(err, syscall.ENOENT) {
			t.Error(err)
		}
		if _, err := os.Lstat(far.path + "2/a"); err == nil {
			t.Error("it was written through a link")
		}
	})
}

func TestFoldersBelowAndRenamesBetweenThemWork(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, nil))
	fails(t, far.dir.Mkdir("a\nb", 0o700))
	below, err := far.dir.OpenDir("a\nb")
	fails(t, err)
	defer below.Close()
	fails(t, below.(endpoint.BulkWriter).WriteAll(t.Context(), []endpoint.Item{file("x", "x")}, true))
	fails(t, below.Rename("x", far.dir, "y"))
	isThere(t, far, file("y", "x"))
	if _, ok := below.(endpoint.InfoLister); !ok {
		t.Error("it lists no infos")
	}
}
