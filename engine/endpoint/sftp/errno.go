package sftp

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	nameMax   = 255  // bytes of a name, on any common file system
	pathMax   = 4096 // of a path, with the NUL, on Linux
	readOnly  = 1    // of StatVFS.Flag: SSH2_FXE_STATVFS_ST_RDONLY of OpenSSH's PROTOCOL
	spareRoom = 1 << 20
)

// errno turns what the server has said into what a local system would have. Most of it OpenSSH tells by one word, failure;
// what that means only those know who have asked, see the functions below.
func (s *Storage) errno(err error) error {
	var status *sftp.StatusError
	var found *foundHere
	switch {
	case errors.As(err, &found):
		return found.error
	case !errors.As(err, &status):
		return plainErrno(err)
	}
	switch status.Code {
	case uint32(sftp.ErrSSHFxOpUnsupported):
		return syscall.ENOSYS
	case uint32(sftp.ErrSSHFxBadMessage):
		return syscall.EINVAL
	default:
		return syscall.EIO
	}
}

func plainErrno(err error) error {
	switch {
	case err == nil || isLost(err):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrPermission):
		return syscall.EACCES
	default:
		return err
	}
}

// at is errno for an operation on a path: too long a one is EINVAL to OpenSSH, too.
func (s *Storage) at(full string, err error) error {
	if err = s.errno(err); err == syscall.EINVAL && (len(path.Base(full)) > nameMax || len(full) >= pathMax) {
		return syscall.ENAMETOOLONG
	}
	return err
}

// making is at for an operation that gives something the name: which may be taken, or find no room.
func (s *Storage) making(full string, err error) error {
	if err = s.at(full, err); err != syscall.EIO {
		return err
	}
	if _, there := s.lstat(full); there == nil {
		return syscall.EEXIST
	}
	return s.room(path.Dir(full), 0)
}

// renaming is making for a name that something had already.
func (s *Storage) renaming(full string, err error) error {
	if err = s.making(full, err); err == syscall.EIO {
		return syscall.EXDEV
	}
	return err
}

// writing is errno for writing so many bytes to a file.
func (s *Storage) writing(full string, size int64, err error) error {
	if err = s.errno(err); err == syscall.EIO {
		return s.room(full, size)
	}
	return err
}

// room says why the storage has failed: it is read-only, or full, or it is not known why.
func (s *Storage) room(full string, size int64) error {
	vfs, err := s.statVFS(full)
	switch {
	case err != nil:
		return syscall.EIO
	case vfs.Flag&readOnly != 0:
		return syscall.EROFS
	case vfs.Files > 0 && vfs.Favail == 0, vfs.Bavail*vfs.Frsize < uint64(size)+spareRoom:
		return syscall.ENOSPC
	default:
		return syscall.EIO
	}
}

// sealed says why nothing below a path can be changed, nil if that isn't known: its file system is read-only, or the server
// is (sftp-server -R), which then refuses before it looks whether there is such a name.
func (s *Storage) sealed(full string) error {
	if vfs, err := s.statVFS(full); err == nil && vfs.Flag&readOnly != 0 {
		return syscall.EROFS
	}
	err := s.again(func(on *session) error { return on.client.RemoveDirectory(join(full, ".ketter-none")) })
	if err = s.errno(err); isLost(err) || err == syscall.EACCES {
		return err
	}
	return nil
}

// removing is at for an operation that takes a name away.
func (s *Storage) removing(full string, folder bool, err error) error {
	if err = s.at(full, err); err != syscall.EIO && (!folder || err != syscall.ENOENT) { // OpenSSH says that for ENOTDIR, too
		return err
	}
	info, gone := s.lstat(full)
	if gone != nil {
		return gone
	}
	switch {
	case folder && info.Type != endpoint.Folder:
		return syscall.ENOTDIR
	case !folder && info.Type == endpoint.Folder:
		return syscall.EISDIR
	case folder && !s.isEmpty(full):
		return syscall.ENOTEMPTY
	}
	if err := s.room(full, 0); err == syscall.EROFS {
		return err
	}
	return syscall.EIO
}

func (s *Storage) isEmpty(full string) bool {
	names, err := s.list(full)
	return err == nil && len(names) == 0
}

// checkName refuses whatever is not the name of something in a folder.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return syscall.EINVAL
	}
	return nil
}

func join(folder, name string) string {
	if strings.HasSuffix(folder, "/") {
		return folder + name
	}
	return folder + "/" + name
}

// here marks an error that no server has sent.
func here(err error) error { return &foundHere{err} }
