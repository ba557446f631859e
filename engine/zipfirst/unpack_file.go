package zipfirst

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/pump"
)

// Extract unpacks one file or symbolic link as name into to, from an archive that need not be sealed, nor whole beyond it.
// With check it ends with archive_error where the bytes are not those that were packed, by the zip's checksum and by the
// record's digest. What fails leaves nothing.
func Extract(ctx context.Context, archive endpoint.Reader, path string, record manifest.Record, to endpoint.Dir, name string,
	o Options, check bool) error {
	if record.Packed == nil || record.Type == endpoint.Folder {
		return refused(path, "it doesn't hold "+record.Path)
	}
	u, err := newUnpacker(archive, path, o)
	if err != nil {
		return err
	}
	u.check = check
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	return u.one(ctx, &window{archive: archive, path: path, buffer: buffer[:]}, &record, to, name)
}

func (u *unpacker) entry(ctx context.Context, w *window, e *entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := e.folder.open()
	if err != nil {
		return err
	}
	w.until = e.until
	_, name := tree.Split(e.record.Path)
	return u.one(ctx, w, &e.record, dir, name)
}

// one unpacks a file or symbolic link. That its local header is there byte for byte tells that the manifest is this archive's.
func (u *unpacker) one(ctx context.Context, w *window, record *manifest.Record, dir endpoint.Dir, name string) error {
	c, err := u.find(w, record)
	if err != nil {
		return err
	}
	if record.Type == endpoint.Symlink {
		return u.symlink(w, c, record, dir, name)
	}
	made, err := u.options.Keep.Links.Do(*record, dir, name, func() error { return u.file(ctx, w, c, record, dir, name) })
	if err != nil {
		return err
	}
	if made {
		u.options.Count(1, 0)
	} else {
		u.options.Count(1, record.Size)
	}
	return nil
}

// find checks the local header of record, and returns its content.
func (u *unpacker) find(w *window, record *manifest.Record) (section, error) {
	at := record.Packed.Offset
	length, size := headerLength(record, at), contentSize(record)
	if len(record.Path) >= longName || at > u.size-length || size > u.size-length-at {
		return section{}, refused(u.path, "it ends before "+record.Path)
	}
	header, err := w.read(at, length)
	if err != nil {
		return section{}, err
	}
	holes := saysHoles(header, record)
	w.expected = appendLocal(w.expected[:0], record, at, holes)
	if !bytes.Equal(header, w.expected) {
		return section{}, refused(u.path, "it doesn't hold what the manifest lists: "+record.Path)
	}
	return section{Reader: u.archive, path: u.path, at: at + length, size: size, holes: holes}, nil
}

func (u *unpacker) symlink(w *window, c section, record *manifest.Record, dir endpoint.Dir, name string) error {
	if c.size > bufferSize {
		return refused(u.path, "a symbolic link in it is too long: "+record.Path)
	}
	target, err := w.read(c.at, c.size)
	if err != nil {
		return err
	}
	if string(target) != record.Target {
		return refused(u.path, "a symbolic link in it leads elsewhere than in the manifest: "+record.Path)
	}
	path := tree.Join(dir.Path(), name)
	if err := dir.Symlink(record.Target, name); err != nil {
		return failure.AtNewLink(path, err)
	}
	u.options.Count(1, 0)
	return failure.AtDestination("set time", path, dir.SetModTime(name, record.ModAt))
}

// file unpacks what is read before it is made, or what is copied.
func (u *unpacker) file(ctx context.Context, w *window, c section, record *manifest.Record, dir endpoint.Dir,
	name string) error {
	path := tree.Join(dir.Path(), name)
	if c.size >= alignedFrom {
		return u.create(dir, name, path, record, func(out endpoint.Writer) error { return u.copy(ctx, c, record, out, path) })
	}
	content, err := w.read(c.at, c.size)
	if err != nil {
		return err
	}
	if u.check && (crcOf(content) != record.Packed.CRC || record.Hashed && xxhash.Sum64(content) != record.Digest) {
		return u.damaged(record)
	}
	return u.create(dir, name, path, record, func(out endpoint.Writer) error {
		if len(content) == 0 {
			return nil
		}
		if _, err := out.Write(content); err != nil {
			return failure.AtDestination("write", path, err)
		}
		u.options.Count(0, c.size)
		return nil
	})
}

// create makes a file, and removes it again where that fails: another attempt may find the name free.
func (u *unpacker) create(dir endpoint.Dir, name, path string, record *manifest.Record,
	fill func(endpoint.Writer) error) error {
	out, err := dir.Create(name, record.Mode|0o600) // attributes need it writable
	if err != nil {
		return failure.AtNew("create", path, err)
	}
	defer out.Close()
	if err = fill(out); err == nil {
		err = u.options.Keep.File(out, *record, path)
	}
	if err != nil {
		return errors.Join(err, failure.AtDestination("remove", path, dir.Remove(name)))
	}
	return nil
}

// copy lets the storage copy as much as it can, and moves the rest.
func (u *unpacker) copy(ctx context.Context, c section, record *manifest.Record, out endpoint.Writer, path string) error {
	var done int64
	var err error
	if !u.check && !u.noRange.Load() {
		if done, err = u.byStorage(ctx, c, out, path); err != nil {
			return err
		}
	}
	if done < c.size {
		if err := u.byHand(ctx, c, done, record, out, path); err != nil {
			return err
		}
	}
	if c.holes {
		return failure.AtDestination("set size", path, out.Truncate(c.size))
	}
	return nil
}

// byStorage returns how far it came: some network file systems end short of what they were asked for, and some pairs can't
// do it at all.
func (u *unpacker) byStorage(ctx context.Context, c section, out endpoint.Writer, path string) (done int64, err error) {
	const step = 64 << 20 // bytes between two looks at ctx
	for done < c.size {
		start, end, err := c.NextData(done, c.size)
		if err != nil {
			return done, archiveFailed("seek in archive", u.path, err)
		}
		u.options.Count(0, start-done)
		for done = start; done < end; {
			if err := ctx.Err(); err != nil {
				return done, err
			}
			n, err := out.CopyFrom(done, u.archive, c.at+done, min(end-done, step))
			if errors.Is(err, errors.ErrUnsupported) {
				u.noRange.Store(true)
				return done, nil
			}
			if err != nil {
				return done, failure.AtDestination("copy", path, err)
			}
			if n == 0 {
				return done, nil
			}
			done += n
			u.options.Count(0, n)
		}
	}
	return done, nil
}

// byHand moves the bytes from an offset on.
func (u *unpacker) byHand(ctx context.Context, c section, from int64, record *manifest.Record, out endpoint.Writer,
	path string) error {
	select {
	case u.large <- struct{}{}:
		defer func() { <-u.large }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var sums []io.Writer
	crc, digest := crc32.NewIEEE(), xxhash.New()
	if u.check {
		sums = []io.Writer{crc, digest}
	}
	err := pump.Run(ctx, pump.Work{In: c, Out: out, From: from, Size: c.size, Sums: sums, Source: u.path, Target: path,
		Staged: true, InFlight: chunksInFlight, Count: func(bytes int64) { u.options.Count(0, bytes) }})
	if err != nil {
		return err
	}
	if u.check && (crc.Sum32() != record.Packed.CRC || record.Hashed && digest.Sum64() != record.Digest) {
		return u.damaged(record)
	}
	return nil
}

func (u *unpacker) damaged(record *manifest.Record) error {
	return refused(u.path, "it holds other bytes than were packed: "+record.Path)
}
