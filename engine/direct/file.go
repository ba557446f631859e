package direct

import (
	"context"
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

const (
	smallBuffer = 64 << 10
	largeBuffer = 1 << 20
)

func (c *copier) file(ctx context.Context, t task) error {
	path := tree.Join(t.from.Path(), t.name)
	in, err := t.from.Open(t.name)
	if err != nil {
		return tree.AtListed("open", path, err)
	}
	defer in.Close()
	before, err := in.Info()
	if err != nil {
		return failure.AtSource("stat", path, err)
	}
	if before.Type != endpoint.File {
		return tree.Unsupported(path)
	}
	out, err := t.to.Create(t.name)
	if err != nil {
		return failure.AtDestination("create", tree.Join(t.to.Path(), t.name), err)
	}
	defer out.Close()
	f := file{copier: c, in: in, out: out, source: path, destination: tree.Join(t.to.Path(), t.name),
		record: manifest.Of(t.path, before)}
	if err := f.copy(ctx); err != nil {
		return err
	}
	return failure.AtDestination("record", f.destination, c.options.Sink.Add(f.record))
}

// file is one file being copied.
type file struct {
	*copier
	in                  endpoint.Reader
	out                 endpoint.Writer
	source, destination string
	record              manifest.Record
}

func (f *file) copy(ctx context.Context) error {
	left := f.record.Size
	if !f.options.Hash && f.record.Size > smallBuffer { // below it, asking costs more than it saves
		var err error
		if left, err = f.byStorage(ctx); err != nil {
			return err
		}
	}
	if err := f.byHand(ctx, left); err != nil {
		return err
	}
	if err := f.unchanged(); err != nil {
		return err
	}
	return f.finish()
}

// byStorage lets the storage copy, and returns how many bytes it has left: all of them if it can't. Some network file
// systems end short of the end of the file (copy_file_range(2) says so of FUSE), so what is left is read by hand.
func (f *file) byStorage(ctx context.Context) (left int64, err error) {
	const step = 64 << 20 // bytes between two looks at ctx
	for left = f.record.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return left, err
		}
		n, err := f.out.CopyFrom(f.in, min(left, step))
		if errors.Is(err, errors.ErrUnsupported) && left == f.record.Size {
			return left, nil
		}
		if err != nil {
			return left, failure.AtDestination("copy", f.destination, err)
		}
		if n == 0 {
			break
		}
		left -= n
		f.options.Count(0, n)
	}
	return left, nil
}

// byHand reads exactly what is left of the size the file had: what has grown since is told by unchanged.
func (f *file) byHand(ctx context.Context, left int64) error {
	digest := xxhash.New()
	buffer := f.bufferFor(left)
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.in.Read(buffer[:min(left, int64(len(buffer)))])
		if errors.Is(err, io.EOF) {
			return tree.Changed(f.source, "it became shorter", nil)
		}
		if err != nil {
			return failure.AtSource("read", f.source, err)
		}
		if f.options.Hash {
			digest.Write(buffer[:n]) // never fails
		}
		if _, err := f.out.Write(buffer[:n]); err != nil {
			return failure.AtDestination("write", f.destination, err)
		}
		left -= int64(n)
		f.options.Count(0, int64(n))
	}
	if f.options.Hash {
		f.record.Hashed, f.record.Digest = true, digest.Sum64()
	}
	f.options.Count(1, 0)
	return nil
}

func (c *copier) bufferFor(size int64) []byte {
	want := smallBuffer
	if size > smallBuffer {
		want = largeBuffer
	}
	if len(c.buffer) < want {
		c.buffer = make([]byte, want)
	}
	return c.buffer
}

func (f *file) unchanged() error {
	after, err := f.in.Info()
	if err != nil {
		return failure.AtSource("stat", f.source, err)
	}
	if after.Size != f.record.Size {
		return tree.Changed(f.source, "its size changed", nil)
	}
	if !f.record.Unchanged(after) {
		return tree.Changed(f.source, "it was written to", nil)
	}
	return nil
}

func (f *file) finish() error {
	if err := f.out.SetMode(f.record.Mode); err != nil {
		return failure.AtDestination("set mode", f.destination, err)
	}
	if err := f.out.SetModTime(f.record.ModAt); err != nil {
		return failure.AtDestination("set time", f.destination, err)
	}
	if f.options.SyncEach {
		if err := f.out.Sync(); err != nil {
			return failure.AtDestination("sync", f.destination, err)
		}
	}
	return failure.AtDestination("close", f.destination, f.out.Close())
}
