package direct

import (
	"sync/atomic"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// folder is a folder of the source and its copy. Whoever still works in it counts as a user: the walk, each task, and each
// folder below. The last one to leave gives it its mode and modification time, which anything made in it would undo.
type folder struct {
	options *Options
	parent  *folder
	name    string
	path    string // relative, as in the manifest
	info    endpoint.Info
	from    endpoint.Dir
	in, to  endpoint.Dir // the copy's parent, and the copy
	users   atomic.Int32
}

func (f *folder) make() error {
	path := tree.Join(f.in.Path(), f.name)
	if err := f.in.Mkdir(f.name, 0o700); err != nil {
		return failure.AtDestination("make folder", path, err)
	}
	to, err := f.in.OpenDir(f.name)
	if err != nil {
		return failure.AtDestination("open folder", path, err)
	}
	f.to = to
	return nil
}

// release is a user's leave after success.
func (f *folder) release() error {
	if f == nil || f.users.Add(-1) > 0 {
		return nil
	}
	if err := f.finish(); err != nil {
		f.parent.abandon()
		return err
	}
	return f.parent.release()
}

// abandon is a user's leave after a failure: the copy is worth nothing any more.
func (f *folder) abandon() {
	for ; f != nil && f.users.Add(-1) == 0; f = f.parent {
		f.close()
	}
}

func (f *folder) finish() error {
	defer f.close()
	path := f.to.Path()
	if err := tree.Unchanged(f.from, f.info.ModAt); err != nil {
		return err
	}
	if f.options.SyncEach {
		if err := f.to.Sync(); err != nil {
			return failure.AtDestination("sync", path, err)
		}
	}
	if f.parent != nil {
		if err := f.in.SetMode(f.name, f.info.Mode); err != nil {
			return failure.AtDestination("set mode", path, err)
		}
		if err := f.in.SetModTime(f.name, f.info.ModAt); err != nil {
			return failure.AtDestination("set time", path, err)
		}
	}
	return failure.AtDestination("record", path, f.options.Sink.Add(manifest.Of(f.path, f.info)))
}

func (f *folder) close() {
	f.from.Close()
	f.to.Close()
}
