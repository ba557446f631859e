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
	if err := from.Remove(name); err != nil {
		return errors.Join(err, to.Remove(newName))
	}
	return nil
}

// renameOverOwn is for storages without hard links (exFAT): it takes the name with an empty file, which fails when the name
// is taken, and renames over that.
func renameOverOwn(from *dir, name string, to *dir, newName string) error {
	taken, err := to.Create(newName, 0o600)
	if err != nil {
		return err
	}
	if err := taken.Close(); err != nil {
		return errors.Join(err, to.Remove(newName))
	}
	err = retry(func() error { return unix.Renameat(from.fd, name, to.fd, newName) })
	if err != nil {
		return errors.Join(err, to.Remove(newName))
	}
	return nil
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
