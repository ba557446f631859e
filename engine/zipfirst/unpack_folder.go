package zipfirst

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// made is a folder being unpacked. Whoever still works in it counts as a user: the manifest until it has listed the folder
// itself, each entry, and each folder below. The last one to leave gives it its mode and time.
type made struct {
	parent *made // nil for the data folder
	name   string
	record manifest.Record
	users  atomic.Int32
	failed atomic.Bool
	once   sync.Once
	dir    endpoint.Dir
	err    error // of making it
}

func newMade(parent *made, name string) *made {
	f := &made{parent: parent, name: name}
	f.users.Store(1)
	if parent != nil {
		parent.users.Add(1)
	}
	return f
}

// openAs makes f an open folder that is somebody else's.
func (f *made) openAs(dir endpoint.Dir) { f.once.Do(func() { f.dir = dir }) }

// open returns the folder, which the first one to call it makes.
func (f *made) open() (endpoint.Dir, error) {
	f.once.Do(func() { f.err = f.make() })
	return f.dir, f.err
}

func (f *made) make() error {
	in, err := f.parent.open()
	if err != nil {
		return err
	}
	path := tree.Join(in.Path(), f.name)
	// That it exists already means that another one of the source has its name here.
	if err := in.Mkdir(f.name, 0o700); err != nil {
		return failure.AtNew("make folder", path, err)
	}
	f.dir, err = in.OpenDir(f.name)
	return failure.AtDestination("open folder", path, err)
}

// leave is a user's: ok tells whether all went well.
func (f *made) leave(u *unpacker, ok bool) error {
	for ; f != nil; f = f.parent {
		if !ok {
			f.failed.Store(true)
		}
		if f.users.Add(-1) > 0 {
			return nil
		}
		if ok = !f.failed.Load(); !ok {
			f.close()
		} else if err := f.finish(u); err != nil {
			return errors.Join(err, f.parent.leave(u, false))
		}
	}
	return nil
}

// finish ends a folder that holds all it is to hold.
func (f *made) finish(u *unpacker) error {
	dir, err := f.open()
	if err != nil {
		return err
	}
	defer f.close()
	if u.options.Done != nil { // something may come to it yet
		return nil
	}
	return u.options.Keep.Folder(f.parent.dir, dir, f.name, f.record, f.parent.parent == nil)
}

func (f *made) close() {
	if f.dir != nil {
		f.dir.Close()
	}
}
