package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
)

// Writer writes a manifest. It may be used by several goroutines.
type Writer struct {
	mu  sync.Mutex
	out *bufio.Writer
	buf []byte
	end End
}

// NewWriter makes a Writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(out, 64<<10)} }

// Add writes a record.
func (w *Writer) Add(r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	buf, err := appendRecord(w.buf[:0], r)
	if err != nil {
		return err
	}
	w.buf = buf
	if r.Type == endpoint.Folder {
		w.end.Folders++
	} else {
		w.end.Files++
		w.end.Bytes += r.Size
	}
	_, err = w.out.Write(buf)
	return err
}

// End completes the manifest with the identity of what was staged, and returns its totals.
func (w *Writer) End(staged endpoint.Info) (End, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end.Device, w.end.Inode = staged.Device, staged.Inode
	raw, err := json.Marshal(map[string]End{"end": w.end})
	if err != nil {
		return End{}, err
	}
	if _, err := w.out.Write(append(raw, '\n')); err != nil {
		return End{}, err
	}
	return w.end, w.out.Flush()
}

// Totals returns those of what was added so far.
func (w *Writer) Totals() End {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end
}

// Flush hands what was added so far to the underlying writer.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Flush()
}

// ErrTruncated is the error of a manifest that has no end: its run was cut short.
var ErrTruncated = errors.New("manifest: cut short")

// longest is more than any path's line can take that a file system lets one walk to.
const longest = 64 << 20

// Reader reads a manifest.
type Reader struct {
	in    *bufio.Reader
	seen  End
	end   *End
	spill []byte
}

// NewReader makes a Reader of in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 64<<10)} }

// Next returns the next record, io.EOF after the last of a complete manifest, and ErrTruncated at the end of any other.
func (r *Reader) Next() (Record, error) {
	if r.end != nil {
		return Record{}, io.EOF
	}
	raw, err := r.line()
	if err != nil {
		return Record{}, err
	}
	record, end, err := parse(raw)
	if err != nil {
		return Record{}, err
	}
	if end != nil {
		return Record{}, r.finish(end)
	}
	if record.Type == endpoint.Folder {
		r.seen.Folders++
	} else {
		r.seen.Files++
		r.seen.Bytes += record.Size
	}
	return record, nil
}

// End returns what closed the manifest, once Next said io.EOF.
func (r *Reader) End() End {
	if r.end == nil {
		return End{}
	}
	return *r.end
}

func (r *Reader) finish(end *End) error {
	if end.Files != r.seen.Files || end.Folders != r.seen.Folders || end.Bytes != r.seen.Bytes {
		return ErrTruncated
	}
	r.end = end
	return io.EOF
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
