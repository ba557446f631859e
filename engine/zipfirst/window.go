package zipfirst

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/ketter/ketter/engine/endpoint"
)

// window reads small pieces of an archive, several at once where they lie side by side.
type window struct {
	archive    endpoint.Reader
	path       string
	buffer     []byte
	until      int64  // how far it pays to read ahead
	start, end int64  // what of the archive is in buffer
	expected   []byte // a local header
}

// read returns length bytes from an offset, valid until the next call; they must fit into the buffer.
func (w *window) read(at, length int64) ([]byte, error) {
	if at < w.start || at+length > w.end {
		n, err := w.archive.ReadAt(w.buffer[:min(max(length, w.until-at), int64(len(w.buffer)))], at)
		if w.start, w.end = at, at+int64(n); int64(n) < length {
			return nil, archiveFailed("read archive", w.path, short(err))
		}
	}
	return w.buffer[at-w.start : at-w.start+length], nil
}

// short is the error of a read that wasn't to reach the end: to whoever moves a file, io.EOF says that its source changed.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// runs sorts a batch by place, and says of each small entry where those end that follow it without a gap.
func runs(batch []entry) {
	slices.SortFunc(batch, func(a, b entry) int { return cmp.Compare(a.offset(), b.offset()) })
	var next *entry
	for i := len(batch) - 1; i >= 0; i-- {
		e := &batch[i]
		if e.record.Packed == nil || e.record.Type == endpoint.Folder || contentSize(&e.record) >= alignedFrom {
			next = nil
			continue
		}
		e.until = e.offset() + headerLength(&e.record, e.offset()) + contentSize(&e.record)
		if next != nil && next.offset() == e.until {
			e.until = next.until
		}
		next = e
	}
}

func (e *entry) offset() int64 {
	if e.record.Packed == nil {
		return 0
	}
	return e.record.Packed.Offset
}

// section is the content of an entry, as a file of its own.
type section struct {
	endpoint.Reader // the archive
	path            string
	at, size        int64
	holes           bool // it may have some: to ask costs more than a look at a single entry
}

func (s section) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.Reader.ReadAt(p, s.at+offset)
	if n < len(p) {
		err = archiveFailed("read archive", s.path, short(err))
	}
	return n, err
}

func (s section) NextData(offset, size int64) (start, end int64, err error) {
	if !s.holes {
		return offset, size, nil
	}
	start, end, err = s.Reader.NextData(s.at+offset, s.at+size)
	return start - s.at, end - s.at, err
}
