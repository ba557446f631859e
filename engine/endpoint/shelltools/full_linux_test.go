package shelltools

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// mounted is a far folder on a file system of its own.
func mounted(t *testing.T, m *machine, flags uintptr) *far {
	t.Helper()
	needsRoot(t)
	path := t.TempDir()
	fails(t, unix.Mount("none", path, "tmpfs", flags, "size=1m"))
	t.Cleanup(func() { fails(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return farAt(t, m, path)
}

func TestAFullDiskSaysSo(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		full := mounted(t, far.machine, 0)
		items := []endpoint.Item{}
		for i := range 10 {
			items = append(items, file(fmt.Sprint(i), strings.Repeat("x", 200<<10)))
		}
		if err := full.write(t.Context(), items, true); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	})
}

func TestAFolderThatMayNotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	eachTar(t, func(t *testing.T, far *far) {
		sealed := mounted(t, far.machine, unix.MS_RDONLY)
		for _, item := range []endpoint.Item{file("a", "x"), file("b/c", "x"), folderItem("d", 0o700)} {
			if err := sealed.write(t.Context(), []endpoint.Item{item}, true); !errors.Is(err, syscall.EROFS) {
				t.Error(err)
			}
		}
	})
}

func TestAFullDiskSaysSoToUnzip(t *testing.T) {
	t.Parallel()
	full := mounted(t, newMachine(t, noTar), 0)
	var err error
	for i := 0; err == nil && i < 9; i++ {
		item := file(fmt.Sprint(i), strings.Repeat("x", 200<<10))
		item.ModAt = time.Unix(1e9, 0)
		err = full.write(t.Context(), []endpoint.Item{item}, false)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	nothingIsLeft(t, full)
}

func TestFilesAreSyncedOneByOneWhereTheFileSystemIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, map[string]string{"stat": ""}))
	folder, sealed := folderItem("f\n", 0o700), file("-x", "x")
	sealed.Mode = 0
	fails(t, far.write(t.Context(), []endpoint.Item{sealed, file("f\n/y", "y"), link("l", "nowhere"), folder}, true))

	bin, _, _ := strings.Cut(far.machine.path, ":")
	fails(t, os.WriteFile(bin+"/sync", []byte("#!/bin/sh\nexit 1\n"), 0o755))
	var bulk *endpoint.BulkError
	if err := far.write(t.Context(), []endpoint.Item{file("z", "z")}, true); !errors.As(err, &bulk) || bulk.Op != "sync" {
		t.Error(err)
	}
}

func TestWithoutAWayToSyncNothingIsWritten(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, map[string]string{"sync": "", "uname": ""}))
	if err := far.write(t.Context(), []endpoint.Item{file("z", "z")}, true); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	fails(t, far.write(t.Context(), []endpoint.Item{file("z", "z")}, false))
}
