package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// openToPass opens a folder only to go through it, which needs no permission to read it.
const openToPass = unix.O_PATH

func omitTime() unix.Timespec { return unix.Timespec{Nsec: unix.UTIME_OMIT} }

func (d *dir) Capabilities() endpoint.Capabilities {
	capabilities := endpoint.Capabilities{Symlinks: true, HardLinks: true, Modes: true, Holes: true,
		Xattrs: holdsXattrs(d.fd), ACLs: holdsACLs(d.fd),
		ModTimeStep: time.Nanosecond, Epoch: epoch(d.fd), Realm: realm()}
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(d.fd, &st) }); err != nil {
		return capabilities
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		capabilities.SyncWhole = syncfsTells() // their syncfs waits for the data
		capabilities.Locks = true              // of network storages only this machine would know its locks
	case unix.MSDOS_SUPER_MAGIC:
		capabilities.Symlinks, capabilities.HardLinks = false, false
		capabilities.Modes, capabilities.Holes = false, false
		capabilities.ModTimeStep = 2 * time.Second
	case unix.EXFAT_SUPER_MAGIC:
		capabilities.Symlinks, capabilities.HardLinks = false, false
		capabilities.Modes, capabilities.Holes = false, false
		capabilities.ModTimeStep = 10 * time.Millisecond
	}
	return capabilities
}

func (d *dir) SyncAll() error { return retry(func() error { return unix.Syncfs(d.fd) }) }

func (d *dir) Space() (endpoint.Space, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(d.fd, &st) }); err != nil {
		return endpoint.Space{}, err
	}
	unit := st.Frsize
	if unit == 0 { // some FUSE file systems leave it out
		unit = st.Bsize
	}
	space := endpoint.Space{Bytes: st.Bavail * uint64(unit), Inodes: st.Ffree}
	if st.Files == 0 {
		space.Inodes = math.MaxUint64
	}
	return space, nil
}

func renameNoReplace(fromFd int, from string, toFd int, to string) error {
	return retry(func() error { return unix.Renameat2(fromFd, from, toFd, to, unix.RENAME_NOREPLACE) })
}

// chmodat changes the mode of a name that is no symbolic link. Kernels before 6.6 can't say so in one call: there the name
// is pinned by a descriptor that needs no permission on it, and changed through /proc.
func chmodat(at int, name string, mode uint32) error {
	err := retry(func() error { return unix.Fchmodat(at, name, mode, unix.AT_SYMLINK_NOFOLLOW) })
	if err != unix.EOPNOTSUPP {
		return err
	}
	fd, err := openat(at, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	info, err := fstat(fd)
	if err != nil {
		return err
	}
	if info.Type == endpoint.Symlink {
		return unix.EOPNOTSUPP
	}
	return retry(func() error { return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode) })
}

func syncFile(fd int) error { return retry(func() error { return unix.Fsync(fd) }) }

func dropCache(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) }

// syncfsTells reports whether syncfs(2) tells of data that could not be written: since Linux 5.8.
var syncfsTells = sync.OnceValue(func() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	var major, minor int
	n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	return n == 2 && (major > 5 || major == 5 && minor >= 8)
})

// epoch names the time since the kernel started and the file system was mounted; empty where one can't be told.
func epoch(fd int) string {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID == 0 || boot() == "" {
		return ""
	}
	return boot() + "/" + strconv.FormatUint(st.Mnt_id, 10)
}

// realm is this kernel: whatever containers there are, a device's number means one device to all of them. Where it has no
// name, only this process knows it.
var realm = sync.OnceValue(func() string {
	if boot() == "" {
		return rand.Text()
	}
	return boot()
})

var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// setModTime is futimens(3), which glibc makes of utimensat(2) without a path.
func setModTime(fd int, t time.Time) error {
	mtime, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	times := [2]unix.Timespec{omitTime(), mtime}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != unix.EINTR {
			return errnoOrNil(errno)
		}
	}
}

func errnoOrNil(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// preallocate is for disks: in memory it would only touch every page once more.
func preallocate(fd int, size int64) error {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) == nil && uint32(st.Type) == unix.TMPFS_MAGIC {
		return errors.ErrUnsupported
	}
	err := retry(func() error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, size) })
	return unsupportedOr(err)
}

func clone(to, from int) error {
	return unsupportedOr(retry(func() error { return unix.IoctlFileClone(to, from) }))
}

// unsupportedOr tells what a file system can't do from what failed.
func unsupportedOr(err error) error {
	switch err {
	case unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.ENOTTY, unix.EOPNOTSUPP, unix.EPERM, unix.ETXTBSY, unix.EBADF:
		return errors.ErrUnsupported
	default:
		return err
	}
}

func copyRange(to int, at int64, from int, offset, limit int64) (int64, error) {
	const most = 1 << 30 // so that a cancellation is noticed
	var n int
	err := retry(func() (err error) {
		n, err = unix.CopyFileRange(from, &offset, to, &at, int(min(limit, most)), 0)
		return err
	})
	if err = unsupportedOr(err); err != nil {
		return 0, err
	}
	return int64(n), nil
}

// umask is the process's, which nothing in it changes.
var umask = sync.OnceValues(func() (mask uint32, known bool) {
	status, err := os.ReadFile("/proc/self/status") // since Linux 4.7; umask(2) can only be asked by changing it
	if err != nil {
		return 0, false
	}
	_, after, found := strings.Cut(string(status), "\nUmask:")
	line, _, _ := strings.Cut(after, "\n")
	value, err := strconv.ParseUint(strings.TrimSpace(line), 8, 32)
	return uint32(value), found && err == nil
})

func hasDefaultACL(fd int) bool {
	_, err := unix.Fgetxattr(fd, "system.posix_acl_default", nil)
	return err != unix.ENODATA && err != unix.ENOTSUP
}
