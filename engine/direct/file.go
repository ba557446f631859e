package direct

import (
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

const (
	bufferSize = 256 << 10 // stays in a core's cache between read, hash and write
	// largeSize is from when on a file is worth several requests at once, and being continued by a later run.
	largeSize = 8 << 20
	// farLarge is the same where each request crosses a network, and one after the other would take a round trip each.
	farLarge = 256 << 10
	// askSize is from when on asking the storage to copy by itself may save more than it costs.
	askSize = 64 << 10
)

func (c *copier) file(f *folder, name string, work *share) error {
	one, err := c.openSource(f, name, work)
	if err != nil {
		return err
	}
	defer one.in.Close()
	return one.copy(f, work)
}

func (c *copier) openSource(f *folder, name string, work *share) (*file, error) {
	path := tree.Join(f.from.Path(), name)
	in, err := f.from.Open(name)
	if err != nil {
		return nil, tree.AtListed("open", path, err)
	}
	one := &file{copier: c, share: work, in: in, source: path, name: name}
	if err := one.look(f); err != nil {
		in.Close()
		return nil, err
	}
	return one, nil
}

func (f *file) look(in *folder) error {
	info, err := f.in.Info()
	if err != nil {
		return failure.AtSource("stat", f.source, err)
	}
	if info.Type != endpoint.File {
		return tree.Unsupported(f.source)
	}
	f.record, f.sparse = manifest.Of(in.below(f.name), info), info.Allocated < info.Size
	if f.options.Keep.Xattrs {
		if f.record.Xattrs, err = f.in.Xattrs(); err != nil {
			return failure.AtSource("read attributes", f.source, err)
		}
	}
	return nil
}

func (f *file) copy(in *folder, work *share) (err error) {
	if f.unproven != nil {
		bytes := min(f.record.Size, unprovenOfOne)
		if err := f.unproven.Acquire(f.ctx, bytes); err != nil {
			return err
		}
		defer f.unproven.Release(bytes)
	}
	if f.to, err = in.opened(); err != nil {
		return err
	}
	f.target = tree.Join(f.to.Path(), f.name)
	if f.isLarge() {
		f.handOn(in, work)
	}
	made, err := f.options.Keep.Links.Do(f.record, f.to, f.name, f.make)
	if err != nil || made {
		return err
	}
	return f.linked()
}

// file is one file being copied.
type file struct {
	*copier
	share          *share
	in             endpoint.Reader
	out            endpoint.Writer
	to             endpoint.Dir
	name           string
	source, target string // paths, for messages
	record         manifest.Record
	sparse         bool
	digest         *xxhash.Digest // nil when nothing is hashed
	from           int64          // where to begin: an earlier run has done what is before
}

func (f *file) make() error {
	if err := f.open(); err != nil {
		return err
	}
	defer f.out.Close()
	if err := f.bytes(); err != nil {
		return err
	}
	if f.digest != nil {
		f.record.Hashed, f.record.Digest = true, f.digest.Sum64()
	}
	if err := f.unchanged(); err != nil {
		return err
	}
	if err := f.options.Keep.File(f.out, f.record, f.target); err != nil {
		return err
	}
	f.options.Count(1, 0)
	return failure.AtDestination("record", f.target, f.share.done(f.record))
}

// linked records a further name of a file that is there: it has no digest, being the same file.
func (f *file) linked() error {
	if err := f.unchanged(); err != nil {
		return err
	}
	f.options.Count(1, f.record.Size)
	return failure.AtDestination("record", f.target, f.share.done(f.record))
}

// open makes the file, or takes over what an earlier run has of it.
func (f *file) open() (err error) {
	if f.options.Hash {
		f.digest = xxhash.New()
	}
	if f.isLarge() && f.options.Earlier != nil {
		if done, err := f.takeOver(); done || err != nil {
			return err
		}
	}
	f.out, err = f.to.Create(f.name, f.record.Mode|0o600)
	return failure.AtNew("create", f.target, err)
}

func (f *file) isLarge() bool { return f.record.Size >= f.largeFrom }

func (f *file) bytes() error {
	if f.isLarge() || f.record.Size >= askSize && f.sparse {
		return f.largeBytes()
	}
	if f.record.Size >= askSize && f.digest == nil {
		done, err := f.byStorage()
		f.from += done
		if err != nil {
			return err
		}
	}
	return f.byHand()
}

// byHand reads exactly the size the file had: what has grown since is told by unchanged.
func (f *file) byHand() error {
	buffer, done := f.buffer()
	defer done()
	for f.from < f.record.Size {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		n, err := f.in.ReadAt(buffer[:min(f.record.Size-f.from, bufferSize)], f.from)
		if n == 0 {
			return f.readShort(err)
		}
		if f.digest != nil {
			f.digest.Write(buffer[:n])
		}
		if _, err := f.out.WriteAt(buffer[:n], f.from); err != nil {
			return failure.AtDestination("write", f.target, err)
		}
		f.from += int64(n)
		f.options.Count(0, int64(n))
	}
	return nil
}

// buffer is for the file's data. Over a network so many files are under way that each has no more than it needs.
func (f *file) buffer() (buffer []byte, done func()) {
	if f.far && f.record.Size < bufferSize {
		return make([]byte, f.record.Size), func() {}
	}
	pooled := buffers.Get().(*[bufferSize]byte)
	return pooled[:], func() { buffers.Put(pooled) }
}

// readShort is why fewer bytes came than the file had.
func (f *file) readShort(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return tree.Changed(f.source, "it became shorter", nil)
	}
	return failure.AtSource("read", f.source, err)
}

func (f *file) unchanged() error {
	return f.record.StillOf(f.in, f.source)
}
