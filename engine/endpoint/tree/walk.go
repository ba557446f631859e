// Package tree walks, finds and removes whole trees of an endpoint, name by name through open folders. It never resolves
// a path and never follows a symbolic link, and what it holds in memory and in descriptors depends on a tree's depth, not
// on its size.
package tree

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// Root is the top of a source: a folder, or a single file.
type Root struct {
	Parent endpoint.Dir // the folder it is in; nil for an allowed root, which has nothing above it that may be touched
	Folder endpoint.Dir // nil for a file
	Name   string
	Path   string // its real path, for messages
	Info   endpoint.Info
}

// Close closes the folders of r.
func (r *Root) Close() {
	if r.Folder != nil {
		r.Folder.Close()
	}
	if r.Parent != nil {
		r.Parent.Close()
	}
}

// Visitor is told what a Walk finds. F is what it keeps of a folder.
type Visitor[F any] interface {
	// Enter is called for each folder before its contents; dir is the visitor's to close from then on.
	Enter(parent F, name string, dir endpoint.Dir, info endpoint.Info) (F, error)
	// Entry is called for each file and symbolic link.
	Entry(folder F, entry endpoint.Entry) error
	// Leave is called for each folder that was entered, once its contents were visited or failed.
	Leave(folder F) error
}

// Walk visits root's folder depth first, in no particular order. What can't be transferred ends it with
// unsupported_file_type. Root's own folder is not closed.
func Walk[F any](ctx context.Context, root *Root, visitor Visitor[F]) error {
	var none F
	w := walk[F]{ctx: ctx, visitor: visitor}
	return w.folder(none, root.Name, borrowed{root.Folder}, root.Info)
}

type walk[F any] struct {
	ctx     context.Context
	visitor Visitor[F]
}

func (w *walk[F]) folder(parent F, name string, dir endpoint.Dir, info endpoint.Info) error {
	folder, err := w.visitor.Enter(parent, name, dir, info)
	if err != nil {
		return err
	}
	err = dir.List(func(entry endpoint.Entry) error {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		switch entry.Type {
		case endpoint.Folder:
			return w.descend(folder, dir, entry.Name)
		case endpoint.Other:
			return Unsupported(Join(dir.Path(), entry.Name))
		default:
			return w.visitor.Entry(folder, entry)
		}
	})
	err = failure.AtSource("list", dir.Path(), err)
	return errors.Join(err, w.visitor.Leave(folder))
}

func (w *walk[F]) descend(folder F, dir endpoint.Dir, name string) error {
	path := Join(dir.Path(), name)
	child, err := dir.OpenDir(name)
	if err != nil {
		return AtListed("open", path, err)
	}
	info, err := child.Info()
	if err != nil {
		child.Close()
		return AtListed("stat", path, err)
	}
	return w.folder(folder, name, child, info)
}

// AtListed is failure.AtSource for a name that was just listed: when it is gone, the source changed.
func AtListed(op, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return Changed(path, "it was removed meanwhile", err)
	}
	return failure.AtSource(op, path, err)
}

// Changed is the failure of a source that changes while it is read.
func Changed(path, how string, err error) error {
	f := failure.New(failure.SourceChanged, path, "The source changed while it was being read: "+path+" ("+how+")")
	f.Err = err
	return f
}

// Unchanged makes sure that no name came to a folder of the source, or went, since it had modAt: such a name would be
// missing in a copy that is told as complete.
func Unchanged(folder endpoint.Dir, modAt time.Time) error {
	now, err := folder.Info()
	if err != nil {
		return failure.AtSource("stat", folder.Path(), err)
	}
	if !now.ModAt.Equal(modAt) {
		return Changed(folder.Path(), "names came or went in it", nil)
	}
	return nil
}

// Unsupported is the failure of a source that holds a socket, FIFO or device.
func Unsupported(path string) error {
	return failure.New(failure.UnsupportedFileType, path,
		"The source holds something that is not a file, a folder or a symbolic link: "+path)
}

// Join puts name below folder.
func Join(folder, name string) string {
	if folder == "/" {
		return folder + name
	}
	return folder + "/" + name
}

// borrowed is a folder that somebody else closes.
type borrowed struct{ endpoint.Dir }

func (b borrowed) Close() error         { return nil }
func (b borrowed) Unwrap() endpoint.Dir { return b.Dir }
