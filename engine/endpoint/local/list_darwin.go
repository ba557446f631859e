package local

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// List uses package os: macOS has no supported system call for it, and its file systems tell every name's type.
func (d *dir) List(fn func(endpoint.Entry) error) error {
	fd, err := openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	folder := os.NewFile(uintptr(fd), d.path)
	defer folder.Close()
	for {
		entries, err := folder.ReadDir(256)
		for _, entry := range entries {
			if err := fn(endpoint.Entry{Name: entry.Name(), Type: typeOfMode(entry.Type())}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func typeOfMode(mode fs.FileMode) endpoint.Type {
	switch {
	case mode.IsRegular():
		return endpoint.File
	case mode.IsDir():
		return endpoint.Folder
	case mode&fs.ModeSymlink != 0:
		return endpoint.Symlink
	default:
		return endpoint.Other
	}
}
