package shelltools

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// blame turns the end of a program that should have made items into a BulkError: it looks for the first item that isn't
// there as it should be and tries, by hand, what the program couldn't do. The program's words tell nothing.
func (f *folder) blame(ctx context.Context, items []endpoint.Item, cause error) error {
	var exit *remote.ExitError
	if ctx.Err() != nil || fatal(cause) != nil || errors.Is(cause, remote.ErrRefused) {
		return cause
	}
	killed := !errors.As(cause, &exit) || exit.Status < 0 || exit.Status > 128
	if !killed && exit.Status == exitFolder {
		return &endpoint.BulkError{Op: op(items[0]), Err: f.gone(cause)}
	}
	looked, err := f.look(ctx, paths(items))
	if err != nil {
		return err
	}
	find := tree.NewMaker(f.Dir)
	defer find.Close()
	for i, item := range items {
		if err := f.lacks(find, item, looked[i], killed); err != nil {
			return &endpoint.BulkError{Index: i, Op: op(item), Err: caused(err, cause)}
		}
	}
	// All seem to be there, if only in name: bsdtar gives a file its size before its bytes.
	last := len(items) - 1
	dir, _, err := find.Find(items[last].Path)
	if err == nil {
		err = try(dir, ".ketter-bulk-"+rand.Text(), items[last])
	}
	return &endpoint.BulkError{Index: last, Op: "write", Err: caused(firstError(err, syscall.EIO), cause)}
}

// lacks tells why item isn't there; nil if it is. A program that was killed explains itself what it left undone.
func (f *folder) lacks(find *tree.Finder, item endpoint.Item, found looked, killed bool) error {
	if found.err != nil && !errors.Is(found.err, fs.ErrNotExist) {
		return found.err
	}
	dir, name, err := find.Find(item.Path)
	if err != nil {
		return err
	}
	if found.err == nil && same(dir, name, item, found.info) {
		return nil
	}
	if killed {
		return syscall.EIO
	}
	if found.err != nil {
		return firstError(try(dir, name, item), syscall.EIO)
	}
	// Either it was there before, or the storage has taken only a part.
	return firstError(try(dir, ".ketter-bulk-"+rand.Text(), item), syscall.EEXIST)
}

// same reports whether what was found may be what item asks for.
func same(dir endpoint.Dir, name string, item endpoint.Item, info endpoint.Info) bool {
	switch {
	case info.Type != item.Type:
		return false
	case item.Type == endpoint.Symlink:
		target, err := dir.Readlink(name)
		return err == nil && target == item.Target
	case item.Type == endpoint.File:
		return info.Size == int64(len(item.Data)) && info.ModAt.Unix() == item.ModAt.Unix()
	}
	return true
}

// try makes item by hand and removes it again: the error says why it can't be made.
func try(dir endpoint.Dir, name string, item endpoint.Item) error {
	switch item.Type {
	case endpoint.Folder:
		if err := dir.Mkdir(name, 0o700); err != nil {
			return err
		}
		return dir.RemoveDir(name)
	case endpoint.Symlink:
		if err := dir.Symlink(item.Target, name); err != nil {
			return err
		}
		return dir.Remove(name)
	}
	w, err := dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(item.Data)
	if err == nil {
		err = w.Sync()
	}
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	return firstError(err, dir.Remove(name))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
