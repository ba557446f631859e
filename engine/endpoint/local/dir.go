// Package local is the endpoint of this machine's own file systems. It works on file descriptors (openat and its kin), one
// name at a time, and never follows a symbolic link; paths are resolved only once, by Roots, when a transfer begins.
package local

import (
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// dir is an open folder. Its descriptor is closed by its owner after everyone has finished with it.
type dir struct {
	fd      int
	path    string
	closing sync.Once
	listing sync.Mutex // the descriptor has one read position
	asked   sync.Once  // guards plain
	plain   bool       // nothing but the umask decides about the modes of new files
}

var _ endpoint.Dir = (*dir)(nil)

// Open opens a folder by its path. The last component must not be a symbolic link.
func Open(path string) (endpoint.Dir, error) {
	return openDirAt(unix.AT_FDCWD, path, path)
}

func openDirAt(at int, name, path string) (*dir, error) {
	fd, err := openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &dir{fd: fd, path: path}, nil
}

func (d *dir) Path() string { return d.path }

func (d *dir) Close() error {
	var err error
	d.closing.Do(func() {
		err = unix.Close(d.fd)
		d.fd = -1 // the number may soon be another file's
	})
	return err
}

func (d *dir) Info() (endpoint.Info, error) { return fstat(d.fd) }

func (d *dir) Lstat(name string) (endpoint.Info, error) {
	if err := checkName(name); err != nil {
		return endpoint.Info{}, err
	}
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return endpoint.Info{}, err
	}
	return infoOf(&st), nil
}

func (d *dir) Readlink(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	for size := 256; ; size *= 4 {
		target := make([]byte, size)
		var n int
		err := retry(func() (err error) { n, err = unix.Readlinkat(d.fd, name, target); return err })
		if err != nil {
			return "", err
		}
		if n < size {
			return string(target[:n]), nil
		}
	}
}

func (d *dir) OpenDir(name string) (endpoint.Dir, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	opened, err := openDirAt(d.fd, name, join(d.path, name))
	if err != nil {
		return nil, err // not opened: a nil *dir in an endpoint.Dir is not nil
	}
	return opened, nil
}

func (d *dir) Mkdir(name string, mode uint32) error {
	if err := checkName(name); err != nil {
		return err
	}
	return retry(func() error { return unix.Mkdirat(d.fd, name, mode) })
}

func (d *dir) Symlink(target, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return retry(func() error { return unix.Symlinkat(target, d.fd, name) })
}

func (d *dir) Link(name string, to endpoint.Dir, newName string) error {
	if err := errors.Join(checkName(name), checkName(newName)); err != nil {
		return unix.EINVAL
	}
	target, ok := endpoint.Unwrap(to).(*dir)
	if !ok {
		return unix.EXDEV
	}
	return retry(func() error { return unix.Linkat(d.fd, name, target.fd, newName, 0) })
}

func (d *dir) Xattrs() ([]endpoint.Xattr, error)           { return xattrs(d.fd) }
func (d *dir) SetXattrs(attributes []endpoint.Xattr) error { return setXattrs(d.fd, attributes) }

func (d *dir) Remove(name string) error    { return d.unlink(name, 0) }
func (d *dir) RemoveDir(name string) error { return d.unlink(name, unix.AT_REMOVEDIR) }

func (d *dir) unlink(name string, flags int) error {
	if err := checkName(name); err != nil {
		return err
	}
	return retry(func() error { return unix.Unlinkat(d.fd, name, flags) })
}

func (d *dir) SetMode(name string, mode uint32) error {
	if err := checkName(name); err != nil {
		return err
	}
	return chmodat(d.fd, name, mode)
}

func (d *dir) SetModTime(name string, t time.Time) error {
	if err := checkName(name); err != nil {
		return err
	}
	mtime, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	times := []unix.Timespec{omitTime(), mtime}
	return retry(func() error { return unix.UtimesNanoAt(d.fd, name, times, unix.AT_SYMLINK_NOFOLLOW) })
}

// Sync of a folder is something that some network file systems don't have, and don't need.
func (d *dir) Sync() error {
	err := syncFile(d.fd)
	if err == unix.EINVAL || err == unix.ENOTSUP {
		return nil
	}
	return err
}

// TryLock: NFS locks only files that are open for writing (EBADF), and some FUSE and SMB mounts nothing at all.
func (d *dir) TryLock() error {
	err := retry(func() error { return unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) })
	switch err {
	case unix.EBADF, unix.EINVAL, unix.ENOLCK, unix.ENOSYS, unix.ENOTSUP:
		return errors.ErrUnsupported
	default:
		return err
	}
}

// checkName refuses whatever is not the name of something in a folder.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return unix.EINVAL
	}
	return nil
}

func join(folder, name string) string {
	if strings.HasSuffix(folder, "/") {
		return folder + name
	}
	return folder + "/" + name
}
