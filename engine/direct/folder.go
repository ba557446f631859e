package direct

import (
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

	names []endpoint.Entry // not yet under way; by the one goroutine that lists the folder
	busy  sync.WaitGroup   // for those that are
}

func (f *folder) below(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "/" + name
}

func (f *folder) make() error {
	path := tree.Join(f.in.Path(), f.name)
	if err := f.in.Mkdir(f.name, 0o700); err != nil {
		return failure.AtNew("make folder", path, err)
	}
	to, err := f.in.OpenDir(f.name)
	if err != nil {
		return failure.AtDestination("open folder", path, err)
	}
	f.to = to
	return nil
}

func (c *copier) finish(f *folder) error {
	if err := tree.Unchanged(f.from, f.record.ModAt); err != nil {
		return err
	}
	if c.options.Keep.Xattrs {
		var err error
		if f.record.Xattrs, err = f.from.Xattrs(); err != nil {
			return failure.AtSource("read attributes", f.from.Path(), err)
		}
	}
	if err := c.options.Keep.Folder(f.in, f.to, f.name, f.record, f.parent == nil); err != nil {
		return err
	}
	return failure.AtDestination("record", f.to.Path(), c.options.Sink.Add(f.record))
}

func (f *folder) close() {
	f.from.Close()
	f.to.Close()
	if f.earlier != nil {
		f.earlier.Close()
	}
}
