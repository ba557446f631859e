package manifest

import (
	"bufio"
	"errors"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
)

// ErrTruncated is the error of a manifest that has no end: its run was cut short.
var ErrTruncated = errors.New("manifest: cut short")

// longest is more than any line can take that a file system lets one make.
const longest = 64 << 20

// Reader reads a manifest.
type Reader struct {
	in      *bufio.Reader
	lines   int64
	begin   Begin
	seen    End
	end     *End
	partial func(Partial)
	synced  int64
	spill   []byte
}

// NewReader makes a Reader of in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 64<<10)} }

// Next returns the next record, io.EOF after the last of a complete manifest, and ErrTruncated at the end of any other.
func (r *Reader) Next() (Record, error) {
	for r.end == nil {
		raw, err := r.line()
		if err != nil {
			return Record{}, err
		}
		r.lines++
		if record, ok := scan(raw); ok {
			r.count(record)
			return record, nil
		}
		record, ok, err := r.other(raw)
		if ok || err != nil {
			return record, err
		}
	}
	return Record{}, io.EOF
}

// other takes a line that is not as scan knows them, and reports whether it is a record.
func (r *Reader) other(raw []byte) (Record, bool, error) {
	l, err := parse(raw)
	if err != nil {
		return Record{}, false, err
	}
	switch {
	case l.Begin != nil:
		r.begin = *l.Begin
	case l.Synced != nil:
		r.synced = min(max(r.synced, *l.Synced), r.lines)
	case l.End != nil:
		return Record{}, false, r.finish(l.End)
	case l.Partial != nil:
		record, err := l.record()
		if err != nil || l.Partial.Offset < 0 || l.Partial.Offset > record.Size {
			return Record{}, false, errMalformed
		}
		if r.partial != nil {
			r.partial(Partial{record, l.Partial.Offset, l.Partial.State})
		}
	default:
		record, err := l.record()
		if err == nil {
			r.count(record)
		}
		return record, err == nil, err
	}
	return Record{}, false, nil
}

// Line is the number of the line that Next returned last, counted from 1.
func (r *Reader) Line() int64 { return r.lines }

// End returns what closed the manifest, once Next said io.EOF.
func (r *Reader) End() End {
	if r.end == nil {
		return End{}
	}
	return *r.end
}

func (r *Reader) count(record Record) {
	if record.Type == endpoint.Folder {
		r.seen.Folders++
		return
	}
	r.seen.Files++
	r.seen.Bytes += record.Size
}

func (r *Reader) finish(end *End) error {
	if end.Files != r.seen.Files || end.Folders != r.seen.Folders || end.Bytes != r.seen.Bytes {
		return ErrTruncated
	}
	r.end = end
	return nil
}

// line returns the next line, valid until the one after it.
func (r *Reader) line() ([]byte, error) {
	raw, err := r.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return raw, atEnd(err)
	}
	r.spill = append(r.spill[:0], raw...)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(r.spill) > longest {
			return nil, errMalformed
		}
		raw, err = r.in.ReadSlice('\n')
		r.spill = append(r.spill, raw...)
	}
	return r.spill, atEnd(err)
}

func atEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrTruncated
	}
	return err
}
