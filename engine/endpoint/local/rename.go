package local

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

func (d *dir) Rename(name string, to endpoint.Dir, newName string) error {
	_, err := d.Publish(name, to, newName)
	return err
}

// Publish refuses to replace in the kernel itself, or, where a file system can't (NFS and many FUSE answer EINVAL), by
// steps of which each refuses.
func (d *dir) Publish(name string, to endpoint.Dir, newName string) (inSteps bool, err error) {
	if err := errors.Join(checkName(name), checkName(newName)); err != nil {
		return false, unix.EINVAL
	}
	target, ok := endpoint.Unwrap(to).(*dir)
	if !ok {
		return false, unix.EXDEV
	}
	err = renameNoReplace(d.fd, name, target.fd, newName)
	if err == unix.EINVAL || err == unix.ENOSYS || err == unix.ENOTSUP {
		return true, renameBySteps(d, name, target, newName)
	}
	return false, err
}

func renameBySteps(from *dir, name string, to *dir, newName string) error {
	info, err := from.Lstat(name)
	if err != nil {
		return err
	}
	if info.Type == endpoint.Folder {
		return renameFolderBySteps(from, name, to, newName)
	}
	err = retry(func() error { return unix.Linkat(from.fd, name, to.fd, newName, 0) })
	if err == unix.EPERM || err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EMLINK {
		return renameOverOwn(from, name, to, newName)
	}
	if err != nil {
		return err
	}
	return unlinkOld(from, name, to, newName)
}

// unlinkOld takes away the first of two names. When that fails, the second one goes only if the first is there still: else
// it may be the last one that is left.
func unlinkOld(from *dir, name string, to *dir, newName string) error {
	err := from.Remove(name)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if isSame(from, name, to, newName) {
		return errors.Join(err, to.Remove(newName))
	}
	return err
}

func isSame(a *dir, name string, b *dir, other string) bool {
	one, err := a.Lstat(name)
	if err != nil {
		return false
	}
	two, err := b.Lstat(other)
	return err == nil && one.Device == two.Device && one.Inode == two.Inode
}

// renameOverOwn is for storages without hard links (exFAT): it takes the name with an empty file, which fails when the name
// is taken, and renames over that.
func renameOverOwn(from *dir, name string, to *dir, newName string) error {
	fd, err := openat(to.fd, newName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	mine, err := fstat(fd)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	err = retry(func() error { return unix.Renameat(from.fd, name, to.fd, newName) })
	if err == nil {
		return nil
	}
	if there, gone := to.Lstat(newName); gone == nil && there.Inode == mine.Inode && there.Size == 0 {
		return errors.Join(err, to.Remove(newName))
	}
	return err // the name is somebody else's by now
}

// renameFolderBySteps takes the name with an empty folder, which fails when the name is taken, and renames over that: a
// folder can only ever replace an empty one.
func renameFolderBySteps(from *dir, name string, to *dir, newName string) error {
	if err := to.Mkdir(newName, 0o700); err != nil {
		return err
	}
	err := retry(func() error { return unix.Renameat(from.fd, name, to.fd, newName) })
	if err != nil {
		return errors.Join(err, to.RemoveDir(newName))
	}
	return nil
}
