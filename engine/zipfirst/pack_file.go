package zipfirst

import (
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

// pack packs names of a folder.
func (p *packer) pack(f *folder, names []endpoint.Entry) error {
	whole := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(whole)
	b := batch{packer: p, folder: f, buffer: whole[:0]}
	for _, entry := range names {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := b.entry(entry); err != nil {
			return err
		}
	}
	return b.flush()
}

// batch packs one name after the other. Small entries come together in its buffer and are written at once.
type batch struct {
	*packer
	folder *folder
	buffer []byte
	held   []manifest.Record // of what is in buffer; offsets count from its beginning
}

func (b *batch) entry(entry endpoint.Entry) error {
	done, err := b.folder.isDone(entry.Name)
	if done || err != nil {
		return err
	}
	path, source := b.folder.below(entry.Name), tree.Join(b.folder.dir.Path(), entry.Name)
	if err := b.checkLength(path); err != nil {
		return err
	}
	if entry.Type == endpoint.Symlink {
		return b.symlink(entry.Name, path, source)
	}
	return b.file(entry.Name, path, source)
}

func (b *batch) symlink(name, path, source string) error {
	info, err := b.folder.dir.Lstat(name)
	if err != nil {
		return tree.AtListed("stat", source, err)
	}
	record := manifest.Of(path, info)
	if record.Target, err = b.folder.dir.Readlink(name); err != nil {
		return tree.AtListed("read link", source, err)
	}
	if err := b.checkLength(record.Target); err != nil {
		return err
	}
	return b.small(record, func(content []byte) error {
		copy(content, record.Target)
		return nil
	})
}

func (b *batch) file(name, path, source string) error {
	in, err := b.folder.dir.Open(name)
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
	f := file{batch: b, in: in, source: source, record: manifest.Of(path, info)}
	if f.holes, err = hasHoles(in, info); err != nil {
		return failure.AtSource("seek", source, err)
	}
	if b.options.Keep.Xattrs {
		if f.record.Xattrs, err = in.Xattrs(); err != nil {
			return failure.AtSource("read attributes", source, err)
		}
	}
	switch size := f.record.Size; {
	case size < alignedFrom:
		return b.small(f.record, f.read)
	case !f.holes && size <= pump.ChunkSize:
		return f.middling()
	default:
		return f.large()
	}
}

// hasHoles: a file that takes less than its size may also be compressed, or not written yet.
func hasHoles(in endpoint.Reader, info endpoint.Info) (bool, error) {
	if info.Size < alignedFrom || info.Allocated >= info.Size {
		return false, nil
	}
	start, end, err := in.NextData(0, info.Size)
	return start > 0 || end < info.Size, err
}

// small packs what shares the buffer with others. read fills in the content.
func (b *batch) small(record manifest.Record, read func(content []byte) error) error {
	length, size := headerLength(&record, 0), contentSize(&record)
	if int64(len(b.buffer))+length+size > bufferSize {
		if err := b.flush(); err != nil {
			return err
		}
	}
	at := int64(len(b.buffer))
	b.buffer = appendLocal(b.buffer, &record, 0, false)
	b.buffer = b.buffer[:at+length+size]
	content := b.buffer[at+length:]
	if err := read(content); err != nil {
		return err
	}
	b.sum(&record, at, content)
	setCRC(b.buffer[at:], record.Packed.CRC)
	b.held = append(b.held, record)
	return nil
}

// sum notes what was packed at an offset.
func (b *batch) sum(record *manifest.Record, at int64, content []byte) {
	record.Packed = &manifest.Packed{Offset: at, CRC: crcOf(content)}
	if b.options.Hash && record.Type == endpoint.File {
		record.Hashed, record.Digest = true, xxhash.Sum64(content)
	}
}

// flush writes what is in the buffer.
func (b *batch) flush() error {
	if len(b.held) == 0 {
		return nil
	}
	at := b.reserve(func(int64) int64 { return int64(len(b.buffer)) })
	if err := b.write(b.buffer, at); err != nil {
		return err
	}
	for _, record := range b.held {
		record.Packed.Offset += at
		if err := b.add(record, record.Size); err != nil {
			return err
		}
	}
	b.buffer, b.held = b.buffer[:0], b.held[:0]
	return nil
}

// file is one file being packed.
type file struct {
	*batch
	in     endpoint.Reader
	source string
	record manifest.Record
	holes  bool
}

// reserve takes the file's place in the archive.
func (f *file) reserve() int64 {
	return f.batch.reserve(func(at int64) int64 { return headerLength(&f.record, at) + f.record.Size })
}

// read reads all of a file that hasn't changed meanwhile.
func (f *file) read(content []byte) error {
	if len(content) > 0 {
		n, err := f.in.ReadAt(content, 0)
		switch {
		case n == len(content):
		case errors.Is(err, io.EOF):
			return tree.Changed(f.source, "it became shorter", nil)
		default:
			return failure.AtSource("read", f.source, err)
		}
	}
	return f.unchanged()
}

func (f *file) unchanged() error {
	return f.record.StillOf(f.in, f.source)
}

// middling packs a file that has the buffer for itself.
func (f *file) middling() error {
	if err := f.flush(); err != nil {
		return err
	}
	at := f.reserve()
	entry := appendLocal(f.buffer, &f.record, at, false)
	length := int64(len(entry))
	entry = entry[:length+f.record.Size]
	if err := f.read(entry[length:]); err != nil {
		return err
	}
	f.sum(&f.record, at, entry[length:])
	setCRC(entry, f.record.Packed.CRC)
	if err := f.write(entry, at); err != nil {
		return err
	}
	return f.add(f.record, f.record.Size)
}

// large packs a file in chunks, and its header last: what has a header is whole.
func (f *file) large() error {
	select {
	case f.packer.large <- struct{}{}:
		defer func() { <-f.packer.large }()
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	at := f.reserve()
	crc, digest := crc32.NewIEEE(), xxhash.New()
	sums := []io.Writer{crc}
	if f.options.Hash {
		sums = append(sums, digest)
	}
	err := pump.Run(f.ctx, pump.Work{In: f.in, Out: f.out, Size: f.record.Size, At: at + headerLength(&f.record, at),
		Sums: sums, Source: f.source, Target: f.archive, InFlight: chunksInFlight,
		Count: func(bytes int64) { f.options.Count(0, bytes) }})
	if err == nil {
		err = f.unchanged()
	}
	if err != nil {
		return err
	}
	f.record.Packed = &manifest.Packed{Offset: at, CRC: crc.Sum32()}
	if f.record.Hashed = f.options.Hash; f.record.Hashed {
		f.record.Digest = digest.Sum64()
	}
	if err := f.write(appendLocal(nil, &f.record, at, f.holes), at); err != nil {
		return err
	}
	return f.add(f.record, 0)
}
