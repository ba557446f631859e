package sftp

import (
	"errors"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// dir is a folder by its path, of which no part was a symbolic link when it was opened. There is nothing to close.
type dir struct {
	storage *Storage
	path    string
}

var (
	_ endpoint.Dir        = (*dir)(nil)
	_ endpoint.InfoLister = (*dir)(nil)
)

func (d *dir) Path() string                        { return d.path }
func (d *dir) Close() error                        { return nil }
func (d *dir) Capabilities() endpoint.Capabilities { return d.storage.capabilities() }
func (d *dir) Info() (endpoint.Info, error)        { return d.storage.lstat(d.path) }
func (d *dir) full(name string) string             { return join(d.path, name) }

// What SFTP doesn't have.

func (d *dir) Xattrs() ([]endpoint.Xattr, error) { return nil, nil }
func (d *dir) SyncAll() error                    { return errors.ErrUnsupported }
func (d *dir) TryLock() error                    { return errors.ErrUnsupported }

func (d *dir) SetXattrs(attributes []endpoint.Xattr) error {
	if len(attributes) == 0 {
		return nil
	}
	return errors.ErrUnsupported
}

// Sync does nothing: SFTP can't make a folder's entries durable, and a server's file system writes its journal in seconds.
func (d *dir) Sync() error { return nil }

func (d *dir) Lstat(name string) (endpoint.Info, error) {
	if err := checkName(name); err != nil {
		return endpoint.Info{}, err
	}
	return d.storage.lstat(d.full(name))
}

func (d *dir) Readlink(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return d.storage.readlink(d.full(name))
}

func (d *dir) OpenDir(name string) (endpoint.Dir, error) {
	info, err := d.Lstat(name)
	if err == nil {
		err = needFolder(info)
	}
	if err != nil {
		return nil, err
	}
	return &dir{storage: d.storage, path: d.full(name)}, nil
}

func (d *dir) List(fn func(endpoint.Entry) error) error {
	return d.ListInfo(func(name string, info endpoint.Info) error {
		return fn(endpoint.Entry{Name: name, Type: info.Type})
	})
}

// ListInfo has all from one listing: SFTP sends it along.
func (d *dir) ListInfo(fn func(name string, info endpoint.Info) error) error {
	all, err := d.storage.list(d.path)
	if err != nil {
		return err
	}
	for i, one := range all {
		all[i] = nil // fn may take its time
		if checkName(one.Name()) != nil {
			return syscall.EBADMSG // no system has such names
		}
		if err := fn(one.Name(), infoOf(one)); err != nil {
			return err
		}
	}
	return nil
}

// Mkdir gives the folder its mode in a second step, where the umask alone doesn't.
func (d *dir) Mkdir(name string, mode uint32) error {
	if err := checkName(name); err != nil {
		return err
	}
	full := d.full(name)
	err := d.storage.mutate(func(on *session) error { return on.client.Mkdir(full) })
	if err != nil {
		return d.storage.making(full, err)
	}
	umask := d.storage.umask.Load()
	if umask < 0 {
		info, err := d.storage.lstat(full)
		if err != nil {
			return err
		}
		umask = int64(0o777 &^ info.Mode)
		d.storage.umask.Store(umask)
	}
	if want := mode &^ uint32(umask); want != 0o777&^uint32(umask) {
		return d.storage.chmod(full, want)
	}
	return nil
}

func (d *dir) Symlink(target, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	full := d.full(name)
	err := d.storage.mutate(func(on *session) error { return on.client.Symlink(target, full) })
	return d.storage.making(full, err)
}

func (d *dir) Link(name string, to endpoint.Dir, newName string) error {
	target, err := d.other(name, to, newName)
	if err != nil {
		return err
	}
	if !d.storage.features.HardLink {
		return errors.ErrUnsupported
	}
	full := target.full(newName)
	err = d.storage.mutate(func(on *session) error { return on.client.Link(d.full(name), full) })
	return d.storage.making(full, err)
}

// other is to as a folder of this storage.
func (d *dir) other(name string, to endpoint.Dir, newName string) (*dir, error) {
	if checkName(name) != nil || checkName(newName) != nil {
		return nil, syscall.EINVAL
	}
	target, ok := endpoint.Unwrap(to).(*dir)
	if !ok || target.storage != d.storage {
		return nil, syscall.EXDEV
	}
	return target, nil
}

// Remove looks first: the client's own Remove takes an empty folder, too.
func (d *dir) Remove(name string) error {
	info, err := d.Lstat(name)
	if err != nil {
		return err
	}
	if info.Type == endpoint.Folder {
		return syscall.EISDIR
	}
	full := d.full(name)
	err = d.storage.mutate(func(on *session) error { return on.client.Remove(full) })
	return d.storage.removing(full, false, err)
}

func (d *dir) RemoveDir(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	full := d.full(name)
	err := d.storage.mutate(func(on *session) error { return on.client.RemoveDirectory(full) })
	return d.storage.removing(full, true, err)
}

// CanRemove can't ask what the host will say, and knows who it is there as little: it sees only that nobody may write, or
// that nothing at all can be written.
func (d *dir) CanRemove(name string, mayChange bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	var folder endpoint.Info
	var sealed error
	err := together(
		func() error { _, err := d.Lstat(name); return err },
		func() (err error) { folder, err = d.Info(); return err },
		func() error { sealed = d.storage.sealed(d.path); return nil })
	switch {
	case err != nil:
		return err
	case folder.Mode&0o222 == 0 && !mayChange:
		return syscall.EACCES
	}
	return sealed
}

// CanMake knows as little as CanRemove, and doesn't judge by modes: the host may have let an administrator in.
func (d *dir) CanMake() error { return d.storage.sealed(d.path) }

// CanRead can't be told: SFTP says so once the file is opened.
func (d *dir) CanRead(name string) error { return checkName(name) }

// SetMode looks first: SFTP would follow a link.
func (d *dir) SetMode(name string, mode uint32) error {
	info, err := d.Lstat(name)
	if err != nil {
		return err
	}
	if info.Type == endpoint.Symlink {
		return syscall.EOPNOTSUPP
	}
	return d.storage.chmod(d.full(name), mode)
}

func (s *Storage) chmod(full string, mode uint32) error {
	err := s.again(func(on *session) error { return on.client.Chmod(full, os.FileMode(mode)) })
	return s.writing(full, 0, err)
}

// SetModTime leaves a symbolic link as it is: SFTP would follow it.
func (d *dir) SetModTime(name string, t time.Time) error {
	info, err := d.Lstat(name)
	if err != nil || info.Type == endpoint.Symlink {
		return err
	}
	return d.storage.chtimes(d.full(name), t)
}

// chtimes has 32 bits for the seconds, as unsigned as the protocol has them.
func (s *Storage) chtimes(full string, t time.Time) error {
	t = time.Unix(min(max(t.Unix(), 0), math.MaxUint32), 0)
	err := s.again(func(on *session) error { return on.client.Chtimes(full, t, t) })
	return s.writing(full, 0, err)
}

func (d *dir) Space() (endpoint.Space, error) {
	vfs, err := d.storage.statVFS(d.path)
	if errors.Is(err, errors.ErrUnsupported) {
		return endpoint.Space{Bytes: math.MaxUint64, Inodes: math.MaxUint64}, nil
	}
	if err != nil {
		return endpoint.Space{}, err
	}
	space := endpoint.Space{Bytes: vfs.Bavail * vfs.Frsize, Inodes: vfs.Favail}
	if vfs.Files == 0 {
		space.Inodes = math.MaxUint64
	}
	return space, nil
}
