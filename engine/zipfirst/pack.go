// Package zipfirst packs a file or folder into one standard zip and unpacks such a zip into a staging folder. Entries are
// stored, not compressed; names are the bytes they are at the source, and beyond 4 GiB or 65,535 entries the archive is a
// zip64. The zip carries names and bytes; modes and times to the nanosecond come from the manifest. The package never
// decides whether packing is worth it, never gives anything its final name, and never alters the source.
package zipfirst

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Options is how to pack and unpack.
type Options struct {
	Parallel int  // files in flight at once, at least 1
	Hash     bool // hash each file as it is read
	SyncEach bool // make each unpacked file and folder durable by itself
	Count    func(files, bytes int64)
}

// bufferSize suits both files and the archive.
const bufferSize = 1 << 20

// Pack writes root into an archive, and a record of each name into sink, that of a folder after those of all it holds.
// archive is its path, for messages.
func Pack(ctx context.Context, root *tree.Root, out io.Writer, archive string, sink *manifest.Writer, o Options) error {
	buffered := bufio.NewWriterSize(out, bufferSize)
	p := packer{ctx: ctx, options: o, zip: zip.NewWriter(buffered), archive: archive, sink: sink,
		buffer: make([]byte, bufferSize)}
	var err error
	if root.Folder != nil {
		err = tree.Walk[*packed](ctx, root, &p, 1)
	} else {
		err = p.file(root.Parent, root.Name, root.Name)
	}
	if err != nil {
		return err
	}
	if err := p.zip.Close(); err != nil {
		return p.failed("write archive", err)
	}
	return p.failed("write archive", buffered.Flush())
}

// packer is the Visitor that packs.
type packer struct {
	ctx     context.Context
	options Options
	zip     *zip.Writer
	archive string
	sink    *manifest.Writer
	buffer  []byte
}

// packed is a folder being packed.
type packed struct {
	dir    endpoint.Dir
	record manifest.Record
}

func (p *packer) Enter(parent *packed, name string, dir endpoint.Dir, info endpoint.Info) (*packed, error) {
	f := &packed{dir: dir, record: manifest.Of(name, info)}
	if parent != nil {
		f.record.Path = parent.record.Path + "/" + name
	}
	if _, err := p.header(f.record); err != nil {
		dir.Close()
		return nil, err
	}
	return f, nil
}

func (p *packer) Leave(f *packed) error {
	return errors.Join(tree.Unchanged(f.dir, f.record.ModAt), p.failed("record", p.sink.Add(f.record)), f.dir.Close())
}

func (p *packer) Entry(f *packed, entry endpoint.Entry) error {
	path := f.record.Path + "/" + entry.Name
	if entry.Type == endpoint.Symlink {
		return p.symlink(f.dir, entry.Name, path)
	}
	return p.file(f.dir, entry.Name, path)
}

func (p *packer) symlink(dir endpoint.Dir, name, path string) error {
	source := tree.Join(dir.Path(), name)
	info, err := dir.Lstat(name)
	if err != nil {
		return tree.AtListed("stat", source, err)
	}
	record := manifest.Of(path, info)
	if record.Target, err = dir.Readlink(name); err != nil {
		return tree.AtListed("read link", source, err)
	}
	out, err := p.header(record)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, record.Target); err != nil {
		return p.failed("write archive", err)
	}
	p.options.Count(1, 0)
	return p.failed("record", p.sink.Add(record))
}

func (p *packer) file(dir endpoint.Dir, name, path string) error {
	source := tree.Join(dir.Path(), name)
	in, err := dir.Open(name)
	if err != nil {
		return tree.AtListed("open", source, err)
	}
	defer in.Close()
	info, err := in.Info()
	if err != nil {
		return failure.AtSource("stat", source, err)
	}
	if info.Type != endpoint.File {
		return tree.Unsupported(source)
	}
	record := manifest.Of(path, info)
	out, err := p.header(record)
	if err != nil {
		return err
	}
	if err := p.bytes(in, out, source, &record); err != nil {
		return err
	}
	after, err := in.Info()
	if err != nil {
		return failure.AtSource("stat", source, err)
	}
	if !record.Unchanged(after) {
		return tree.Changed(source, "it was written to", nil)
	}
	p.options.Count(1, 0)
	return p.failed("record", p.sink.Add(record))
}

// bytes packs exactly the size the file had.
func (p *packer) bytes(in io.Reader, out io.Writer, source string, record *manifest.Record) error {
	digest := xxhash.New()
	for left := record.Size; left > 0; {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(p.buffer[:min(left, bufferSize)])
		if errors.Is(err, io.EOF) {
			return tree.Changed(source, "it became shorter", nil)
		}
		if err != nil {
			return failure.AtSource("read", source, err)
		}
		if p.options.Hash {
			digest.Write(p.buffer[:n]) // never fails
		}
		if _, err := out.Write(p.buffer[:n]); err != nil {
			return p.failed("write archive", err)
		}
		left -= int64(n)
		p.options.Count(0, int64(n))
	}
	if p.options.Hash {
		record.Hashed, record.Digest = true, digest.Sum64()
	}
	return nil
}

func (p *packer) header(record manifest.Record) (io.Writer, error) {
	header := zip.FileHeader{Name: record.Path, Method: zip.Store, Modified: dosTime(record.ModAt)}
	header.SetMode(fileMode(record))
	if record.Type == endpoint.Folder {
		header.Name += "/"
	}
	out, err := p.zip.CreateHeader(&header)
	return out, p.failed("write archive", err)
}

// failed tells a storage's error from one of the format, such as a path of more than 65,535 bytes.
func (p *packer) failed(op string, err error) error { return archiveFailed(op, p.archive, err) }

// dosTime keeps a time within what a zip can tell; the manifest has the true one.
func dosTime(t time.Time) time.Time {
	if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		return first
	}
	if last := time.Date(2037, 12, 31, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	return t.UTC()
}

func fileMode(record manifest.Record) fs.FileMode {
	mode := fs.FileMode(record.Mode & 0o777)
	for bit, named := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if record.Mode&bit != 0 {
			mode |= named
		}
	}
	switch record.Type {
	case endpoint.Folder:
		mode |= fs.ModeDir
	case endpoint.Symlink:
		mode |= fs.ModeSymlink
	}
	return mode
}
