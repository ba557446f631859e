// Package tree walks, finds and removes whole trees of an endpoint, name by name through open folders. It never resolves
// a path and never follows a symbolic link, and what it holds in memory and in descriptors depends on a tree's depth, not
// on its size.
package tree

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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

// Dir is r's folder, or the one that the file is in.
func (r *Root) Dir() endpoint.Dir {
	if r.Folder != nil {
		return r.Folder
	}
	return r.Parent
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

// Visitor is told what a Walk finds, by several goroutines. F is what it keeps of a folder.
type Visitor[F any] interface {
	// Enter is called for each folder before its contents; dir is the visitor's to close from then on.
	Enter(parent F, name string, dir endpoint.Dir, info endpoint.Info) (F, error)
	// Entry is called for each file and symbolic link.
	Entry(folder F, entry endpoint.Entry) error
	// Leave is called for each folder that was entered, once everything below it was visited or failed.
	Leave(folder F) error
}

// Tolerant is a Visitor that may go on without what can't be visited.
type Tolerant interface {
	// Amiss is told why something wasn't visited, by several goroutines. What it returns ends the Walk; nil lets it go on.
	Amiss(err error) error
}

// Walk visits root's folder in no particular order, with up to walkers folders, at least one, being listed at once. What can't be
// transferred ends it with unsupported_file_type. Root's own folder is not closed.
func Walk[F any](ctx context.Context, root *Root, visitor Visitor[F], walkers int) error {
	group, ctx := errgroup.WithContext(ctx)
	w := walk[F]{ctx: ctx, visitor: visitor, group: group, slots: make(chan struct{}, max(walkers, 1)),
		amiss: func(err error) error { return err }}
	if tolerant, ok := visitor.(Tolerant); ok {
		w.amiss = tolerant.Amiss
	}
	w.slots <- struct{}{}
	group.Go(func() error {
		defer func() { <-w.slots }()
		return w.folder(nil, root.Name, borrowed{root.Folder}, root.Info)
	})
	return group.Wait()
}

type walk[F any] struct {
	ctx     context.Context
	visitor Visitor[F]
	group   *errgroup.Group
	amiss   func(error) error
	slots   chan struct{} // a folder for which there is none is walked by whoever found it: open folders stay few
}

// node is a folder under way.
type node[F any] struct {
	above   *node[F]
	value   F
	pending atomic.Int32 // its listing, and each folder below
}

func (w *walk[F]) folder(above *node[F], name string, dir endpoint.Dir, info endpoint.Info) error {
	n := &node[F]{above: above}
	var parent F
	if above != nil {
		parent = above.value
	}
	var err error
	if n.value, err = w.visitor.Enter(parent, name, dir, info); err != nil {
		return errors.Join(err, w.leave(above))
	}
	n.pending.Store(1)
	var visiting error
	err = list(dir, func(entry endpoint.Entry) error {
		visiting = w.visit(n, dir, entry)
		return visiting
	})
	err = failure.AtSource("list", dir.Path(), err)
	if err != nil && visiting == nil { // it was not in what was listed
		err = w.amiss(err)
	}
	return errors.Join(err, w.leave(n))
}

func (w *walk[F]) visit(n *node[F], dir endpoint.Dir, entry endpoint.Entry) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	switch entry.Type {
	case endpoint.Folder:
		return w.descend(n, dir, entry)
	case endpoint.Other:
		return w.amiss(Unsupported(Join(dir.Path(), entry.Name)))
	default:
		return w.visitor.Entry(n.value, entry)
	}
}

// leave tells that a part of n is done, and the visitor when that was the last.
func (w *walk[F]) leave(n *node[F]) error {
	var err error
	for ; n != nil && n.pending.Add(-1) == 0; n = n.above {
		err = errors.Join(err, w.visitor.Leave(n.value))
	}
	return err
}

// list asks for what is known of the names, where that comes with the listing.
func list(dir endpoint.Dir, fn func(endpoint.Entry) error) error {
	lister, ok := Bare(dir).(endpoint.InfoLister)
	if !ok {
		return dir.List(fn)
	}
	return lister.ListInfo(func(name string, info endpoint.Info) error {
		return fn(endpoint.Entry{Name: name, Type: info.Type, Info: &info})
	})
}

func (w *walk[F]) descend(above *node[F], dir endpoint.Dir, entry endpoint.Entry) error {
	above.pending.Add(1)
	select {
	case w.slots <- struct{}{}:
		w.group.Go(func() error {
			defer func() { <-w.slots }()
			return w.open(above, dir, entry)
		})
		return nil
	default:
		return w.open(above, dir, entry)
	}
}

func (w *walk[F]) open(above *node[F], dir endpoint.Dir, entry endpoint.Entry) error {
	path := Join(dir.Path(), entry.Name)
	child, err := dir.OpenDir(entry.Name)
	if err != nil {
		return errors.Join(w.amiss(AtListed("open", path, err)), w.leave(above))
	}
	if entry.Info != nil { // older than the folder's own listing, and so good enough to tell whether that changed
		return w.folder(above, entry.Name, child, *entry.Info)
	}
	info, err := child.Info()
	if err != nil {
		child.Close()
		return errors.Join(w.amiss(AtListed("stat", path, err)), w.leave(above))
	}
	return w.folder(above, entry.Name, child, info)
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

// Bare returns what a Visitor was given as a folder without what a Walk puts around it, so that its abilities show.
func Bare(dir endpoint.Dir) endpoint.Dir {
	if b, ok := dir.(borrowed); ok {
		return b.Dir
	}
	return dir
}

// borrowed is a folder that somebody else closes.
type borrowed struct{ endpoint.Dir }

func (b borrowed) Close() error         { return nil }
func (b borrowed) Unwrap() endpoint.Dir { return b.Dir }
