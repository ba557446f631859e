package tree

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// RemoveAll removes name from dir with everything below it, also from folders whose owner has no permission on them. That
// name doesn't exist is fine.
func RemoveAll(ctx context.Context, dir endpoint.Dir, name string) error {
	err := dir.Remove(name)
	// What unlink(2) says of a folder: EISDIR on Linux, EPERM by POSIX and on macOS.
	if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EPERM) {
		err = removeFolder(ctx, dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeFolder(ctx context.Context, dir endpoint.Dir, name string) error {
	folder, err := dir.OpenDir(name)
	if errors.Is(err, fs.ErrPermission) {
		if err = dir.SetMode(name, 0o700); err == nil {
			folder, err = dir.OpenDir(name)
		}
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	// Removing while listing may hide names on some file systems, and somebody may still be writing: look again.
	for attempt := 0; ; attempt++ {
		if err := empty(ctx, dir, name, folder); err != nil {
			return err
		}
		err := dir.RemoveDir(name)
		if !errors.Is(err, syscall.ENOTEMPTY) || attempt == 5 {
			return err
		}
	}
}

func empty(ctx context.Context, parent endpoint.Dir, name string, folder endpoint.Dir) error {
	opened := false
	return folder.List(func(entry endpoint.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := RemoveAll(ctx, folder, entry.Name)
		if errors.Is(err, fs.ErrPermission) && !opened {
			opened = true
			if err = parent.SetMode(name, 0o700); err == nil {
				err = RemoveAll(ctx, folder, entry.Name)
			}
		}
		return err
	})
}
