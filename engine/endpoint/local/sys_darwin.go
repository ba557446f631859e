package local

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// openToPass opens a folder only to go through it, which needs no permission to read it.
const openToPass = unix.O_SEARCH

// omitTime is UTIME_OMIT of sys/stat.h, which x/sys doesn't define for macOS.
func omitTime() unix.Timespec { return unix.Timespec{Nsec: -2} }

// Capabilities: macOS has no call that makes a whole file system durable and says so, hence each file is synced.
func (d *dir) Capabilities() endpoint.Capabilities {
	return endpoint.Capabilities{Symlinks: true, HardLinks: true, Modes: true, Holes: true, Xattrs: true,
		ModTimeStep: time.Nanosecond, Realm: realm()}
}

// realm is this kernel, since it was started; where it has no name, only this process knows it.
var realm = sync.OnceValue(func() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return rand.Text()
	}
	return id
})

func (d *dir) SyncAll() error { return errors.ErrUnsupported }

func (d *dir) Space() (endpoint.Space, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(d.fd, &st) }); err != nil {
		return endpoint.Space{}, err
	}
	return endpoint.Space{Bytes: st.Bavail * uint64(st.Bsize), Inodes: st.Ffree}, nil
}

func renameNoReplace(fromFd int, from string, toFd int, to string) error {
	return retry(func() error { return unix.RenameatxNp(fromFd, from, toFd, to, unix.RENAME_EXCL) })
}

func chmodat(at int, name string, mode uint32) error {
	return retry(func() error { return unix.Fchmodat(at, name, mode, unix.AT_SYMLINK_NOFOLLOW) })
}

// syncFile asks the drive itself to write out its cache, which fsync doesn't on macOS; a file system that can't
// (SMB, some FUSE) gets the fsync it has.
func syncFile(fd int) error {
	err := retry(func() error { _, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0); return err })
	if err == unix.ENOTSUP || err == unix.EINVAL || err == unix.ENOTTY {
		return retry(func() error { return unix.Fsync(fd) })
	}
	return err
}

// dropCache: macOS can't drop a file's pages; reading past the cache is the nearest there is.
func dropCache(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_NOCACHE, 1)
	return err
}

func copyRange(_ int, _ int64, _ int, _, _ int64) (int64, error) { return 0, errors.ErrUnsupported }
func clone(_, _ int) error                                       { return errors.ErrUnsupported } // only for new names
func preallocate(_ int, _ int64) error                           { return errors.ErrUnsupported }

// setModTime goes by microseconds, the finest that futimes(2) takes.
func setModTime(fd int, t time.Time) error {
	now := unix.NsecToTimeval(time.Now().UnixNano())
	return retry(func() error { return unix.Futimes(fd, []unix.Timeval{now, unix.NsecToTimeval(t.UnixNano())}) })
}

// umask can only be asked by changing it, which isn't safe with several threads.
func umask() (mask uint32, known bool) { return 0, false }

func hasDefaultACL(int) bool { return true }
