package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/transfer"
)

// removeSource ends a move: it removes from the source what the manifest lists and what is still as it was read, and
// nothing else. What is gone already is fine, so that it may be begun again.
func (r *run) removeSource(ctx context.Context, open func() (io.ReadCloser, error)) error {
	began := r.engine.now()
	r.watch.begin(transfer.Removing, r.end.Files, r.end.Bytes)
	rm := &removal{run: r}
	// What a folder holds comes first. Files are removed by many, folders in the manifest's order, which is from below.
	for _, pass := range []struct {
		folders  bool
		parallel int
	}{{false, r.engine.inFlight(r.source.Dir())}, {true, 1}} {
		if err := rm.pass(ctx, open, pass.folders, pass.parallel); err != nil {
			return r.stoppedRemoving(ctx, err)
		}
	}
	if err := rm.leftover(ctx); err != nil {
		return r.stoppedRemoving(ctx, err)
	}
	if err := r.source.Parent.Sync(); err != nil {
		return failure.AtSource("sync", path.Dir(r.spec.Source), err)
	}
	return r.watch.event(ctx, transfer.EventSourceRemoved, fmt.Sprintf("Removed the source: %s.", r.spec.Source),
		transfer.Figures{"files": rm.files.Load(), "bytes": rm.bytes.Load(), "seconds": r.engine.now().Sub(began).Seconds()})
}

// stoppedRemoving tells of a removal that was stopped what an operator must know: parts of the source are only at the
// destination by now.
func (r *run) stoppedRemoving(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	f := failure.New(failure.SourceNotRemoved, r.spec.Source, "Stopped while the source was being removed. The destination is complete, "+
		"and what is gone from the source is only there: "+r.spec.FinalPath())
	f.Hint = "Keep the destination. The same job, or the same command, once more removes the rest of the source: " + r.spec.Source
	f.Err = err
	return f
}

// removal is the end of a move.
type removal struct {
	*run
	files, bytes atomic.Int64

	mu  sync.Mutex
	why error // the first error that kept something
}

func (rm *removal) pass(ctx context.Context, open func() (io.ReadCloser, error), folders bool, parallel int) error {
	file, err := open()
	if err != nil {
		return failure.AtDestination("open manifest", rm.destination.Path(), err)
	}
	defer file.Close()
	err = each(ctx, parallel, share(rm.end.Files, parallel, chunk), manifest.NewReader(file), func(context.Context) worker {
		return &remover{removal: rm, folders: folders, find: rm.source.Finder()}
	})
	return failure.AtDestination("read manifest", rm.destination.Path(), err)
}

// remover removes one name after the other.
type remover struct {
	*removal
	folders bool
	find    *tree.Finder
}

func (rm *remover) close() { rm.find.Close() }

// one removes a name; what keeps it is told at the end.
func (rm *remover) one(record numbered) error {
	if rm.folders != (record.Type == endpoint.Folder) {
		return nil
	}
	err := rm.remove(record.Record)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if failure.CodeOf(err) == failure.PortalUnreachable { // another run goes on
		return err
	}
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if rm.why == nil {
		rm.why = err
	}
	return nil
}

var (
	errChanged = errors.New("it changed since it was read")
	errForeign = errors.New("the manifest names what is no part of the source")
)

// owns reports whether a record is of the source. The manifest may have lain on another host: it decides nothing about what is
// beside the source.
func (rm *removal) owns(record manifest.Record) bool {
	return record.Path == rm.source.Name || strings.HasPrefix(record.Path, rm.source.Name+"/")
}

func (rm *remover) remove(record manifest.Record) error {
	if !rm.owns(record) {
		return errForeign
	}
	dir, name, err := rm.find.Find(record.Path)
	if err != nil {
		return err
	}
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	if !record.Unchanged(info) {
		return errChanged
	}
	if record.Type == endpoint.Folder {
		return rm.folder(dir, name, record, info)
	}
	if err := withPermission(rm.find, func() error { return dir.Remove(name) }); err != nil {
		return err
	}
	rm.files.Add(1)
	rm.bytes.Add(record.Size)
	rm.watch.count(1, record.Size)
	return nil
}

// folder removes a folder that is empty by now; one that isn't gets back the mode that withPermission took from it.
func (rm *remover) folder(dir endpoint.Dir, name string, record manifest.Record, info endpoint.Info) error {
	err := withPermission(rm.find, func() error { return dir.RemoveDir(name) })
	if err != nil && info.Mode != record.Mode {
		err = errors.Join(err, dir.SetMode(name, record.Mode))
	}
	return err
}

// withPermission tries again after making the folder that was found last writable, which its owner may.
func withPermission(find *tree.Finder, do func() error) error {
	err := do()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	above, name := find.Above()
	if above == nil { // the folder that the source is in is not the job's to change
		return err
	}
	info, err := above.Lstat(name)
	if err == nil {
		err = above.SetMode(name, info.Mode|0o700)
	}
	if err != nil {
		return err
	}
	return do()
}

// leftover tells what remains of the source.
func (rm *removal) leftover(ctx context.Context) error {
	rest := leftover{}
	err := rest.add(ctx, rm.source.Parent, rm.source.Name, rm.spec.Source)
	if err != nil {
		return failure.AtSource("list", rm.spec.Source, err)
	}
	if rest.names == 0 {
		return nil
	}
	f := failure.New(failure.SourceNotRemoved, rest.first, fmt.Sprintf(
		"The destination is complete, but %d names remain in the source, among them %s", rest.names, rest.first))
	if rm.why != nil && !errors.Is(rm.why, syscall.ENOTEMPTY) {
		f.Err = rm.why
	}
	return f
}

// leftover counts what is in a tree: its files, or the folder itself where there are none.
type leftover struct {
	names int64
	first string
}

func (l *leftover) add(ctx context.Context, dir endpoint.Dir, name, full string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	before := l.names
	if info.Type == endpoint.Folder {
		if err := l.within(ctx, dir, name, full); err != nil {
			return err
		}
	}
	if l.names > before {
		return nil
	}
	l.names++
	if l.first == "" {
		l.first = full
	}
	return nil
}

func (l *leftover) within(ctx context.Context, dir endpoint.Dir, name, full string) error {
	folder, err := dir.OpenDir(name)
	if failure.CodeOf(err) == failure.PortalUnreachable {
		return err
	}
	if err != nil {
		return nil // it counts as one
	}
	defer folder.Close()
	return folder.List(func(entry endpoint.Entry) error {
		return l.add(ctx, folder, entry.Name, tree.Join(full, entry.Name))
	})
}
