package manifest

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
)

// Writer writes a manifest. It may be used by several goroutines.
type Writer struct {
	mu     sync.Mutex
	out    *bufio.Writer
	buf    []byte
	lines  int64
	unsaid int64 // bytes of files that were recorded since the last flush
	end    End
}

// keepBack is how many bytes of files a run that is killed may have to do again because their records were not written.
const keepBack = 4 << 20

// NewWriter makes a Writer to out and writes begin.
func NewWriter(out io.Writer, begin Begin) (*Writer, error) {
	w := &Writer{out: bufio.NewWriterSize(out, 64<<10)}
	begin.Version = Version
	return w, w.other(map[string]Begin{"begin": begin})
}

// Add writes records.
func (w *Writer) Add(records ...Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range records {
		if err := w.add(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) add(r *Record) error {
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
	return w.write(r.Size)
}

// AddPartial writes how far a file is.
func (w *Writer) AddPartial(p Partial) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	buf, err := appendPartial(w.buf[:0], &p)
	if err != nil {
		return err
	}
	w.buf = buf
	return w.write(keepBack)
}

// Lines flushes, and returns how many lines are written by then.
func (w *Writer) Lines() (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines, w.out.Flush()
}

// Synced writes that all that the first lines tell of is on the storage, and these lines too.
func (w *Writer) Synced(lines int64) error { return w.other(map[string]int64{"synced": lines}) }

// End completes the manifest with the identity of what was staged, and returns its totals.
func (w *Writer) End(staged endpoint.Info) (End, error) {
	w.mu.Lock()
	w.end.Device, w.end.Inode = staged.Device, staged.Inode
	end := w.end
	w.mu.Unlock()
	return end, w.other(map[string]End{"end": end})
}

// Totals returns those of what was added so far.
func (w *Writer) Totals() End {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end
}

// other writes a line that is no record, and flushes.
func (w *Writer) other(l any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	w.buf = append(append(w.buf[:0], raw...), '\n')
	return w.write(keepBack)
}

// write writes w.buf, and hands it on when enough has come together.
func (w *Writer) write(bytes int64) error {
	w.lines++
	w.unsaid += bytes
	if _, err := w.out.Write(w.buf); err != nil || w.unsaid < keepBack {
		return err
	}
	w.unsaid = 0
	return w.out.Flush()
}
