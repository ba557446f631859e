package endpointtest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// Far makes dir one of a network: with the abilities of many names at once, or without inode numbers and locks, as an
// SFTP server.
type Far struct {
	Bulk   bool
	Limits endpoint.BulkLimits // of all abilities
	Plain  bool                // no numbers, no locks, whole seconds, each file synced

	Written, Read, Summed atomic.Int64 // names that went through a bulk ability
}

// Wrap decorates dir, and every folder that is opened through it.
func (f *Far) Wrap(dir endpoint.Dir) endpoint.Dir {
	d := &far{Dir: dir, far: f}
	if f.Bulk {
		return &farBulk{d}
	}
	return d
}

type far struct {
	endpoint.Dir
	far *Far
}

func (d *far) Unwrap() endpoint.Dir { return d.Dir }

func (d *far) Capabilities() endpoint.Capabilities {
	c := d.Dir.Capabilities()
	c.Far = true
	if d.far.Plain {
		c.Realm, c.Epoch, c.Locks, c.SyncWhole, c.Xattrs, c.ACLs, c.Holes = "", "", false, false, false, false, false
	}
	return c
}

// numbers takes from info what a plain network storage doesn't tell.
func (d *far) numbers(info endpoint.Info) endpoint.Info {
	if d.far.Plain {
		info.Device, info.Inode, info.Links, info.Allocated = 0, 0, 1, 0
	}
	return info
}

func (d *far) Info() (endpoint.Info, error) {
	info, err := d.Dir.Info()
	return d.numbers(info), err
}

func (d *far) Lstat(name string) (endpoint.Info, error) {
	info, err := d.Dir.Lstat(name)
	return d.numbers(info), err
}

func (d *far) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return d.far.Wrap(dir), nil
}

func (d *far) Open(name string) (endpoint.Reader, error) {
	r, err := d.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return &farReader{Reader: r, dir: d}, nil
}

func (d *far) TryLock() error {
	if d.far.Plain {
		return errors.ErrUnsupported
	}
	return d.Dir.TryLock()
}

type farReader struct {
	endpoint.Reader
	dir *far
}

func (r *farReader) Unwrap() endpoint.Reader { return r.Reader }

func (r *farReader) Info() (endpoint.Info, error) {
	info, err := r.Reader.Info()
	return r.dir.numbers(info), err
}

type farBulk struct{ *far }

func (d *farBulk) WriteLimits() endpoint.BulkLimits  { return d.far.far.Limits }
func (d *farBulk) ReadLimits() endpoint.BulkLimits   { return d.far.far.Limits }
func (d *farBulk) DigestLimits() endpoint.BulkLimits { return d.far.far.Limits }

func (d *farBulk) ListInfo(fn func(name string, info endpoint.Info) error) error {
	return d.List(func(e endpoint.Entry) error {
		info, err := d.Lstat(e.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(e.Name, info)
	})
}

func (d *farBulk) WriteAll(ctx context.Context, items []endpoint.Item, sync bool) error {
	find := tree.NewMaker(d.far)
	defer find.Close()
	for i, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, name, err := find.Find(item.Path)
		if err != nil {
			return &endpoint.BulkError{Index: i, Op: "make folder", Err: err}
		}
		if op, err := makeItem(in, name, item, sync); err != nil {
			return &endpoint.BulkError{Index: i, Op: op, Err: err}
		}
		d.far.far.Written.Add(1)
	}
	return nil
}

func makeItem(in endpoint.Dir, name string, item endpoint.Item, sync bool) (op string, err error) {
	switch item.Type {
	case endpoint.Folder:
		if err := in.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "make folder", err
		}
		if len(item.Xattrs) > 0 {
			err = addXattrs(in, name, item.Xattrs)
		}
		if item.SetMode {
			err = errors.Join(err, in.SetMode(name, item.Mode))
		}
		if !item.ModAt.IsZero() {
			err = errors.Join(err, in.SetModTime(name, item.ModAt))
		}
		return "set time", err
	case endpoint.Symlink:
		if err := in.Symlink(item.Target, name); err != nil {
			return "make link", err
		}
		return "set time", in.SetModTime(name, item.ModAt)
	}
	out, err := in.Create(name, item.Mode|0o600)
	if err != nil {
		return "create", err
	}
	defer out.Close()
	_, err = out.WriteAt(item.Data, 0)
	if len(item.Xattrs) > 0 {
		err = errors.Join(err, out.SetXattrs(item.Xattrs))
	}
	if item.SetMode {
		err = errors.Join(err, out.SetMode(item.Mode))
	}
	err = errors.Join(err, out.SetModTime(item.ModAt))
	if sync {
		err = errors.Join(err, out.Sync())
	}
	return "write", errors.Join(err, out.Close())
}

func addXattrs(in endpoint.Dir, name string, attributes []endpoint.Xattr) error {
	dir, err := in.OpenDir(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.SetXattrs(attributes)
}

func (d *farBulk) ReadAll(ctx context.Context, paths []string, _ int64, xattrs bool, fn func(int, endpoint.Whole) error) error {
	for i, path := range paths {
		if err := errors.Join(ctx.Err(), fn(i, d.whole(path, xattrs))); err != nil {
			return err
		}
		d.far.far.Read.Add(1)
	}
	return nil
}

func (d *farBulk) whole(path string, xattrs bool) (w endpoint.Whole) {
	if strings.Contains(path, "/") {
		return endpoint.Whole{Err: errors.ErrUnsupported} // the engine asks folder by folder
	}
	in, err := d.Open(path)
	if err != nil {
		return endpoint.Whole{Err: err}
	}
	defer in.Close()
	if w.Before, w.Err = in.Info(); w.Err != nil {
		return w
	}
	if w.Before.Size > d.far.far.Limits.Bytes {
		w.TooLarge = true
		return w
	}
	if xattrs {
		w.Xattrs, w.Err = in.Xattrs()
	}
	if w.Err == nil {
		w.Data, w.Err = io.ReadAll(in)
	}
	if w.Err == nil {
		w.After, w.Err = in.Info()
	}
	return w
}

func (d *farBulk) Digests(ctx context.Context, paths []string) ([]endpoint.Digest, error) {
	find := tree.NewFinder(d.far)
	defer find.Close()
	digests := make([]endpoint.Digest, len(paths))
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		digests[i] = digestOf(find, path)
		d.far.far.Summed.Add(1)
	}
	return digests, nil
}

func digestOf(find *tree.Finder, path string) (d endpoint.Digest) {
	dir, name, err := find.Find(path)
	if err != nil {
		return endpoint.Digest{Err: err}
	}
	in, err := dir.Open(name)
	if err != nil {
		return endpoint.Digest{Err: err}
	}
	defer in.Close()
	sum := xxhash.New()
	d.Size, d.Err = io.Copy(sum, in)
	d.XXH64 = sum.Sum64()
	return d
}
