package endpointtest

import (
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// Folded makes dir, and every folder that is opened through it, take names for the same that fold makes the same, as a
// file system does that knows no case or one form of accents only. Names are kept as fold makes them. That two of them
// collide is then found by the file system below, as it would be by such a one.
func Folded(dir endpoint.Dir, fold func(name string) string) endpoint.Dir { return folded{dir, fold} }

type folded struct {
	endpoint.Dir
	fold func(string) string
}

func (d folded) Unwrap() endpoint.Dir { return d.Dir }

func (d folded) Lstat(name string) (endpoint.Info, error)  { return d.Dir.Lstat(d.fold(name)) }
func (d folded) Readlink(name string) (string, error)      { return d.Dir.Readlink(d.fold(name)) }
func (d folded) Open(name string) (endpoint.Reader, error) { return d.Dir.Open(d.fold(name)) }
func (d folded) Create(name string, mode uint32) (endpoint.Writer, error) {
	return d.Dir.Create(d.fold(name), mode)
}
func (d folded) Mkdir(name string, mode uint32) error { return d.Dir.Mkdir(d.fold(name), mode) }
func (d folded) Symlink(target, name string) error    { return d.Dir.Symlink(target, d.fold(name)) }
func (d folded) Remove(name string) error             { return d.Dir.Remove(d.fold(name)) }
func (d folded) RemoveDir(name string) error          { return d.Dir.RemoveDir(d.fold(name)) }
func (d folded) CanRemove(name string, mayChange bool) error {
	return d.Dir.CanRemove(d.fold(name), mayChange)
}
func (d folded) CanRead(name string) error              { return d.Dir.CanRead(d.fold(name)) }
func (d folded) SetMode(name string, mode uint32) error { return d.Dir.SetMode(d.fold(name), mode) }
func (d folded) SetModTime(name string, when time.Time) error {
	return d.Dir.SetModTime(d.fold(name), when)
}

func (d folded) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(d.fold(name))
	if err != nil {
		return nil, err
	}
	return folded{dir, d.fold}, nil
}

func (d folded) Rename(name string, to endpoint.Dir, newName string) error {
	if target, ok := to.(folded); ok {
		newName = target.fold(newName)
	}
	return d.Dir.Rename(d.fold(name), to, newName)
}
