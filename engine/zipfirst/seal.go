package zipfirst

import (
	"context"
	"errors"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Seal completes an archive whose entries take its first size bytes with its directory, made of what the manifest in
// records says is packed; the manifest need not be complete. archive is its path, for messages.
func Seal(ctx context.Context, records io.Reader, out endpoint.Writer, size int64, archive string) error {
	s := sealer{out: out, archive: archive, start: size, at: size}
	in := manifest.NewReader(records)
	for {
		record, err := in.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, manifest.ErrTruncated) {
			break
		}
		if err != nil {
			return archiveFailed("read manifest", archive, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.add(&record); err != nil {
			return err
		}
	}
	s.end()
	return s.flush()
}

// sealer writes an archive's directory.
type sealer struct {
	out       endpoint.Writer
	archive   string
	start, at int64 // where the directory begins, and what of it is written
	entries   uint64
	pending   []byte
}

func (s *sealer) add(r *manifest.Record) error {
	if r.Packed == nil {
		return nil
	}
	s.entries++
	s.pending = appendCentral(s.pending, r)
	if len(s.pending) < 1<<20 {
		return nil
	}
	return s.flush()
}

func (s *sealer) flush() error {
	if _, err := s.out.WriteAt(s.pending, s.at); err != nil {
		return failure.AtDestination("write archive", s.archive, err)
	}
	s.at += int64(len(s.pending))
	s.pending = s.pending[:0]
	return nil
}

// appendCentral appends the directory's header of record.
func appendCentral(b []byte, r *manifest.Record) []byte {
	name, extra := entryName(r), centralExtra(r)
	b = le32(b, centralSignature)
	b = le16(b, madeOnUnix|version64)
	b = appendCommon(b, r, contentSize(r))
	b = le16(le16(b, uint16(len(name))), uint16(len(extra)))
	b = le16(le16(le16(b, 0), 0), 0) // no comment, first disk, no text
	b = le32(le32(b, attributes(r)), uint32(min(r.Packed.Offset, limit32)))
	return append(append(b, name...), extra...)
}

func centralExtra(r *manifest.Record) []byte {
	var wide []byte
	if size := contentSize(r); size >= limit32 {
		wide = le64(le64(wide, uint64(size)), uint64(size))
	}
	if r.Packed.Offset >= limit32 {
		wide = le64(wide, uint64(r.Packed.Offset))
	}
	var b []byte
	if len(wide) > 0 {
		b = append(le16(le16(b, extra64), uint16(len(wide))), wide...)
	}
	return appendTime(b, r.ModAt)
}

// attributes are the mode as stat(2) has it, and what DOS knows of a folder.
func attributes(r *manifest.Record) uint32 {
	mode := r.Mode & 0o7777
	switch r.Type {
	case endpoint.Folder:
		return (mode|0o040000)<<16 | 0x10
	case endpoint.Symlink:
		return (mode | 0o120000) << 16
	default:
		return (mode | 0o100000) << 16
	}
}

// end appends what closes the directory. All of a zip64's fields are given where one of them is needed.
func (s *sealer) end() {
	size := s.at + int64(len(s.pending)) - s.start
	if s.entries >= limitCount || s.start >= limit32 || size >= limit32 {
		s.end64(uint64(size))
	}
	count := uint16(min(s.entries, limitCount))
	b := le32(s.pending, endSignature)
	b = le16(le16(b, 0), 0) // the only disk
	b = le16(le16(b, count), count)
	b = le32(le32(b, uint32(min(size, limit32))), uint32(min(s.start, limit32)))
	s.pending = le16(b, 0) // no comment
}

func (s *sealer) end64(size uint64) {
	at := uint64(s.start) + size
	const rest = 44 // of the record, after this field
	b := le64(le32(s.pending, end64Signature), rest)
	b = le16(le16(b, madeOnUnix|version64), version64)
	b = le32(le32(b, 0), 0) // the only disk
	b = le64(le64(b, s.entries), s.entries)
	b = le64(le64(b, size), uint64(s.start))
	b = le32(le32(b, locator64Signature), 0)
	s.pending = le32(le64(b, at), 1)
}
