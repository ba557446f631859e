// Package endpointtest is what every endpoint is tested with: a conformance suite, and a decorator that injects faults and
// lies. It is for tests only.
package endpointtest

import (
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// Op names what is being done to an endpoint.
type Op string

// The operations that a hook may fail.
const (
	List      Op = "list"
	Lstat     Op = "lstat"
	Readlink  Op = "readlink"
	OpenDir   Op = "opendir"
	Open      Op = "open"
	Read      Op = "read"
	Create    Op = "create"
	Write     Op = "write"
	CopyFrom  Op = "copyfrom"
	Clone     Op = "clone"
	Reserve   Op = "reserve"
	Truncate  Op = "truncate"
	NextData  Op = "nextdata"
	GetXattrs Op = "getxattrs"
	SetXattrs Op = "setxattrs"
	FileMode  Op = "filemode"
	FileTime  Op = "filetime"
	FileSync  Op = "filesync"
	Close     Op = "close"
	Mkdir     Op = "mkdir"
	Symlink   Op = "symlink"
	Link      Op = "link"
	Reopen    Op = "reopen"
	Rename    Op = "rename"
	Remove    Op = "remove"
	RemoveDir Op = "removedir"
	CanRemove Op = "canremove"
	CanMake   Op = "canmake"
	CanRead   Op = "canread"
	SetMode   Op = "setmode"
	SetTime   Op = "settime"
	Sync      Op = "sync"
	SyncAll   Op = "syncall"
)

// Hooks are what a decorated endpoint does differently. Each may be nil, and may be called by several goroutines.
type Hooks struct {
	// Before is called before each operation on path; its error is the operation's, which then isn't done.
	Before func(op Op, path string) error
	// AfterRead may alter what was read of path.
	AfterRead func(path string, p []byte)
	// AfterWrite is told how much was written to path.
	AfterWrite func(path string, n int64)
	// Capabilities may alter what the endpoint says of itself.
	Capabilities func(endpoint.Capabilities) endpoint.Capabilities
	// Space may alter what is free.
	Space func(endpoint.Space) endpoint.Space
}

func (h *Hooks) before(op Op, path string) error {
	if h.Before == nil {
		return nil
	}
	return h.Before(op, path)
}

// Wrap decorates dir, and every folder and file that is opened through it.
func Wrap(dir endpoint.Dir, hooks *Hooks) endpoint.Dir { return &hooked{Dir: dir, hooks: hooks} }

type hooked struct {
	endpoint.Dir
	hooks *Hooks
}

func (d *hooked) Unwrap() endpoint.Dir { return d.Dir }

func (d *hooked) do(op Op, name string, call func() error) error {
	path := d.Path()
	if name != "" {
		path += "/" + name
	}
	if err := d.hooks.before(op, path); err != nil {
		return err
	}
	return call()
}

func (d *hooked) Capabilities() endpoint.Capabilities {
	if d.hooks.Capabilities == nil {
		return d.Dir.Capabilities()
	}
	return d.hooks.Capabilities(d.Dir.Capabilities())
}

func (d *hooked) Space() (endpoint.Space, error) {
	space, err := d.Dir.Space()
	if d.hooks.Space != nil {
		space = d.hooks.Space(space)
	}
	return space, err
}

func (d *hooked) List(fn func(endpoint.Entry) error) error {
	return d.do(List, "", func() error { return d.Dir.List(fn) })
}

func (d *hooked) Lstat(name string) (info endpoint.Info, err error) {
	err = d.do(Lstat, name, func() error { info, err = d.Dir.Lstat(name); return err })
	return info, err
}

func (d *hooked) Readlink(name string) (target string, err error) {
	err = d.do(Readlink, name, func() error { target, err = d.Dir.Readlink(name); return err })
	return target, err
}

func (d *hooked) OpenDir(name string) (endpoint.Dir, error) {
	var dir endpoint.Dir
	err := d.do(OpenDir, name, func() (err error) { dir, err = d.Dir.OpenDir(name); return err })
	if err != nil {
		return nil, err
	}
	return Wrap(dir, d.hooks), nil
}

func (d *hooked) Open(name string) (endpoint.Reader, error) {
	var r endpoint.Reader
	err := d.do(Open, name, func() (err error) { r, err = d.Dir.Open(name); return err })
	if err != nil {
		return nil, err
	}
	return &hookedReader{Reader: r, hooks: d.hooks, path: d.Path() + "/" + name}, nil
}

func (d *hooked) Create(name string, mode uint32) (endpoint.Writer, error) {
	return d.writer(Create, name, func(name string) (endpoint.Writer, error) { return d.Dir.Create(name, mode) })
}

func (d *hooked) Reopen(name string) (endpoint.Writer, error) {
	return d.writer(Reopen, name, d.Dir.Reopen)
}

func (d *hooked) writer(op Op, name string, open func(string) (endpoint.Writer, error)) (endpoint.Writer, error) {
	var w endpoint.Writer
	err := d.do(op, name, func() (err error) { w, err = open(name); return err })
	if err != nil {
		return nil, err
	}
	return &hookedWriter{Writer: w, hooks: d.hooks, path: d.Path() + "/" + name}, nil
}

func (d *hooked) Mkdir(name string, mode uint32) error {
	return d.do(Mkdir, name, func() error { return d.Dir.Mkdir(name, mode) })
}

func (d *hooked) Symlink(target, name string) error {
	return d.do(Symlink, name, func() error { return d.Dir.Symlink(target, name) })
}

func (d *hooked) Link(name string, to endpoint.Dir, newName string) error {
	return d.do(Link, name, func() error { return d.Dir.Link(name, to, newName) })
}

func (d *hooked) Xattrs() (attributes []endpoint.Xattr, err error) {
	err = d.do(GetXattrs, "", func() error { attributes, err = d.Dir.Xattrs(); return err })
	return attributes, err
}

func (d *hooked) SetXattrs(attributes []endpoint.Xattr) error {
	return d.do(SetXattrs, "", func() error { return d.Dir.SetXattrs(attributes) })
}

func (d *hooked) Rename(name string, to endpoint.Dir, newName string) error {
	return d.do(Rename, name, func() error { return d.Dir.Rename(name, to, newName) })
}

func (d *hooked) Publish(name string, to endpoint.Dir, newName string) (inSteps bool, err error) {
	err = d.do(Rename, name, func() error { inSteps, err = d.Dir.Publish(name, to, newName); return err })
	return inSteps, err
}

func (d *hooked) Remove(name string) error {
	return d.do(Remove, name, func() error { return d.Dir.Remove(name) })
}

func (d *hooked) RemoveDir(name string) error {
	return d.do(RemoveDir, name, func() error { return d.Dir.RemoveDir(name) })
}

func (d *hooked) CanRemove(name string, mayChange bool) error {
	return d.do(CanRemove, name, func() error { return d.Dir.CanRemove(name, mayChange) })
}

func (d *hooked) CanMake() error { return d.do(CanMake, "", d.Dir.CanMake) }

func (d *hooked) CanRead(name string) error {
	return d.do(CanRead, name, func() error { return d.Dir.CanRead(name) })
}

func (d *hooked) SetMode(name string, mode uint32) error {
	return d.do(SetMode, name, func() error { return d.Dir.SetMode(name, mode) })
}

func (d *hooked) SetModTime(name string, t time.Time) error {
	return d.do(SetTime, name, func() error { return d.Dir.SetModTime(name, t) })
}

func (d *hooked) Sync() error    { return d.do(Sync, "", d.Dir.Sync) }
func (d *hooked) SyncAll() error { return d.do(SyncAll, "", d.Dir.SyncAll) }

type hookedReader struct {
	endpoint.Reader
	hooks *Hooks
	path  string
}

func (r *hookedReader) Unwrap() endpoint.Reader { return r.Reader }

func (r *hookedReader) Read(p []byte) (int, error) {
	if err := r.hooks.before(Read, r.path); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if r.hooks.AfterRead != nil {
		r.hooks.AfterRead(r.path, p[:n])
	}
	return n, err
}

func (r *hookedReader) ReadAt(p []byte, offset int64) (int, error) {
	if err := r.hooks.before(Read, r.path); err != nil {
		return 0, err
	}
	n, err := r.Reader.ReadAt(p, offset)
	if r.hooks.AfterRead != nil {
		r.hooks.AfterRead(r.path, p[:n])
	}
	return n, err
}

func (r *hookedReader) Xattrs() ([]endpoint.Xattr, error) {
	if err := r.hooks.before(GetXattrs, r.path); err != nil {
		return nil, err
	}
	return r.Reader.Xattrs()
}

func (r *hookedReader) NextData(offset, size int64) (int64, int64, error) {
	if err := r.hooks.before(NextData, r.path); err != nil {
		return 0, 0, err
	}
	return r.Reader.NextData(offset, size)
}

type hookedWriter struct {
	endpoint.Writer
	hooks  *Hooks
	path   string
	closed bool
}

func (w *hookedWriter) do(op Op, call func() error) error {
	if err := w.hooks.before(op, w.path); err != nil {
		return err
	}
	return call()
}

func (w *hookedWriter) wrote(n int64) {
	if w.hooks.AfterWrite != nil {
		w.hooks.AfterWrite(w.path, n)
	}
}

func (w *hookedWriter) Write(p []byte) (n int, err error) {
	err = w.do(Write, func() error { n, err = w.Writer.Write(p); return err })
	w.wrote(int64(n))
	return n, err
}

func (w *hookedWriter) WriteAt(p []byte, offset int64) (n int, err error) {
	err = w.do(Write, func() error { n, err = w.Writer.WriteAt(p, offset); return err })
	w.wrote(int64(n))
	return n, err
}

func (w *hookedWriter) CopyFrom(at int64, src endpoint.Reader, from, limit int64) (n int64, err error) {
	err = w.do(CopyFrom, func() error { n, err = w.Writer.CopyFrom(at, src, from, limit); return err })
	w.wrote(n)
	return n, err
}

func (w *hookedWriter) Clone(src endpoint.Reader) error {
	return w.do(Clone, func() error { return w.Writer.Clone(src) })
}

func (w *hookedWriter) Preallocate(size int64) error {
	return w.do(Reserve, func() error { return w.Writer.Preallocate(size) })
}

func (w *hookedWriter) Truncate(size int64) error {
	return w.do(Truncate, func() error { return w.Writer.Truncate(size) })
}

func (w *hookedWriter) SetMode(mode uint32) error {
	return w.do(FileMode, func() error { return w.Writer.SetMode(mode) })
}

func (w *hookedWriter) SetModTime(t time.Time) error {
	return w.do(FileTime, func() error { return w.Writer.SetModTime(t) })
}

func (w *hookedWriter) SetXattrs(attributes []endpoint.Xattr) error {
	return w.do(SetXattrs, func() error { return w.Writer.SetXattrs(attributes) })
}

func (w *hookedWriter) Sync() error { return w.do(FileSync, w.Writer.Sync) }

func (w *hookedWriter) Close() error {
	if w.closed {
		return w.Writer.Close()
	}
	w.closed = true
	if err := w.hooks.before(Close, w.path); err != nil {
		w.Writer.Close()
		return err
	}
	return w.Writer.Close()
}
