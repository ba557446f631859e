package sftp

import (
	"context"
	"io/fs"
	"math"
	"syscall"
	"time"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

// lstat says what a path stands for, without following it.
func (s *Storage) lstat(full string) (info endpoint.Info, err error) {
	err = s.again(func(on *session) (err error) {
		info, err = lstatOn(on, full)
		return err
	})
	return info, s.at(full, err)
}

func lstatOn(on *session, full string) (endpoint.Info, error) {
	got, err := on.client.Lstat(full)
	if err != nil {
		return endpoint.Info{}, err
	}
	return infoOf(got), nil
}

// infoOf knows no numbers of devices and inodes, nor of links: SFTP doesn't tell them.
func infoOf(got fs.FileInfo) endpoint.Info {
	stat := got.Sys().(*sftp.FileStat)
	info := endpoint.Info{Type: typeOf(stat.Mode), Mode: stat.Mode & 0o7777, ModAt: time.Unix(int64(stat.Mtime), 0), Links: 1,
		Owner: stat.UID, Group: stat.GID}
	if info.Type == endpoint.File {
		info.Size = int64(min(stat.Size, math.MaxInt64))
		info.Allocated = info.Size
	}
	return info
}

// typeOf reads POSIX's type bits, which SFTP sends on every system.
func typeOf(mode uint32) endpoint.Type {
	switch mode & 0o170000 {
	case 0o100000:
		return endpoint.File
	case 0o040000:
		return endpoint.Folder
	case 0o120000:
		return endpoint.Symlink
	default:
		return endpoint.Other
	}
}

// needFile is nil for a regular file, and what a local system says when something else is opened as one.
func needFile(info endpoint.Info) error {
	switch info.Type {
	case endpoint.File:
		return nil
	case endpoint.Folder:
		return syscall.EISDIR
	case endpoint.Symlink:
		return syscall.ELOOP
	default:
		return syscall.ENXIO
	}
}

// errNotFolder is what is said of a file where a folder should be.
var errNotFolder error = syscall.ENOTDIR

func needFolder(info endpoint.Info) error {
	switch info.Type {
	case endpoint.Folder:
		return nil
	case endpoint.Symlink:
		return syscall.ELOOP
	default:
		return errNotFolder
	}
}

// list reads a whole folder. A server that doesn't come to an end is stopped, in time for this process.
func (s *Storage) list(full string) (names []fs.FileInfo, err error) {
	err = s.again(func(on *session) (err error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stop := on.pipe.limit(s.options.ListBytes, cancel)
		defer stop()
		names, err = on.client.ReadDirContext(ctx, full)
		if ctx.Err() != nil {
			return here(syscall.EOVERFLOW)
		}
		return err
	})
	return names, s.at(full, err)
}

func (s *Storage) readlink(full string) (target string, err error) {
	err = s.again(func(on *session) (err error) {
		target, err = on.client.ReadLink(full)
		return err
	})
	return target, s.at(full, err)
}

func (s *Storage) statVFS(full string) (vfs *sftp.StatVFS, err error) {
	if !s.features.StatVFS {
		return nil, syscall.ENOSYS
	}
	err = s.again(func(on *session) (err error) {
		vfs, err = on.client.StatVFS(full)
		return err
	})
	return vfs, s.at(full, err)
}
