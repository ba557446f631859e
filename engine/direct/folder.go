package direct

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// folder is a folder of the source and its copy. It is ended once all that it holds is there: anything made in it later
// would undo its modification time, and its mode may forbid it.
type folder struct {
	parent  *folder
	name    string
	path    string // relative, as in the manifest; empty for the folder that a single file is in
	record  manifest.Record
	from    endpoint.Dir
	in, to  endpoint.Dir // the copy's parent, and the copy
	earlier endpoint.Dir // what an earlier run left of the copy; nil if nothing
	opening sync.Once    // guards to and failed
	failed  error        // to open to

	names []endpoint.Entry // not yet under way; by the one goroutine that lists the folder
	busy  sync.WaitGroup   // for those that are
}

func (f *folder) below(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "/" + name
}

// make makes the copy and opens it.
func (f *folder) make() error {
	f.opening.Do(func() {
		path := tree.Join(f.in.Path(), f.name)
		if err := f.in.Mkdir(f.name, 0o700); err != nil {
			f.failed = failure.AtNew("make folder", path, err)
			return
		}
		f.open(path)
	})
	return f.failed
}

func (f *folder) open(path string) {
	to, err := f.in.OpenDir(f.name)
	if err != nil {
		f.failed = failure.AtDestination("open folder", path, err)
		return
	}
	f.to = to
}

// opened returns the copy. Where folders are made together with what is in them, it is made and opened by the first who
// needs it open.
func (f *folder) opened() (endpoint.Dir, error) {
	f.opening.Do(func() {
		if f.to != nil { // the folder that a single file is in
			return
		}
		if f.parent != nil {
			if f.in, f.failed = f.parent.opened(); f.failed != nil {
				return
			}
		}
		path := tree.Join(f.in.Path(), f.name)
		if err := f.in.Mkdir(f.name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			f.failed = failure.AtNew("make folder", path, err)
			return
		}
		f.open(path)
	})
	return f.to, f.failed
}

// finish gives the copy what it has of the source, once everything in it is there.
func (c *copier) finish(f *folder) error {
	if err := c.lookAgain(f); err != nil {
		return err
	}
	if c.bulk != nil {
		return c.bulk.finish(f)
	}
	if err := c.options.Keep.Folder(f.in, f.to, f.name, f.record, f.parent == nil); err != nil {
		return err
	}
	return failure.AtDestination("record", f.to.Path(), c.options.Sink.Add(f.record))
}

func (c *copier) lookAgain(f *folder) (err error) {
	if err := tree.Unchanged(f.from, f.record.ModAt); err != nil {
		return err
	}
	if c.options.Keep.Xattrs {
		if f.record.Xattrs, err = f.from.Xattrs(); err != nil {
			return failure.AtSource("read attributes", f.from.Path(), err)
		}
	}
	return nil
}

func (f *folder) close() {
	f.from.Close()
	if f.to != nil {
		f.to.Close()
	}
	if f.earlier != nil {
		f.earlier.Close()
	}
}
