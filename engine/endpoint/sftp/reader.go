package sftp

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

// reader is a file open for reading.
type reader struct {
	file
	first  endpoint.Info // as Open saw it
	asked  sync.Once     // for that
	read   sync.Mutex
	offset int64  // where Read goes on
	buffer []byte // for what it has asked for beforehand
	ahead  []byte // the rest of that
}

var _ endpoint.Reader = (*reader)(nil)

// Open takes two round trips: a look, and the opening.
func (d *dir) Open(name string) (endpoint.Reader, error) {
	info, err := d.Lstat(name)
	if err == nil {
		err = needFile(info)
	}
	if err != nil {
		return nil, err
	}
	r := &reader{first: info}
	r.file = file{storage: d.storage, path: d.full(name), flags: os.O_RDONLY, same: r.isSame, looked: true, open: map[*session]*handle{}}
	err = r.do(0, func(*session, *sftp.File) error { return nil })
	if err != nil {
		return nil, d.storage.at(r.path, err)
	}
	return r, nil
}

// isSame refuses a file that took the name since it was opened first, as far as can be told.
func (r *reader) isSame(now endpoint.Info) error {
	if now.Size != r.first.Size || !now.ModAt.Equal(r.first.ModAt) {
		return syscall.ESTALE
	}
	return nil
}

// Info is at first what was seen just before the file was opened, which saves a round trip.
func (r *reader) Info() (info endpoint.Info, err error) {
	fresh := false
	r.asked.Do(func() { info, fresh = r.first, true })
	if fresh {
		return info, nil
	}
	err = r.do(0, func(_ *session, f *sftp.File) error {
		got, err := f.Stat()
		if err == nil {
			info = infoOf(got)
		}
		return err
	})
	return info, r.storage.errno(err)
}

func (r *reader) ReadAt(b []byte, offset int64) (int, error) {
	n, err := r.pieces(len(b), func(from, to int) (int, error) { return r.readPiece(b[from:to], offset+int64(from)) })
	return n, r.storage.errno(err)
}

func (r *reader) readPiece(b []byte, offset int64) (n int, err error) {
	err = r.do(int64(len(b)), func(on *session, f *sftp.File) (err error) {
		n, err = f.ReadAt(b, offset)
		on.pipe.received.Add(-int64(n)) // it was asked for
		return err
	})
	return n, err
}

// aheadSize is how much Read asks for at once, from its second call on: a reader that goes on costs a round trip for each.
const aheadSize = 1 << 20

func (r *reader) Read(b []byte) (int, error) {
	r.read.Lock()
	defer r.read.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	if len(r.ahead) == 0 && (r.offset == 0 || len(b) >= aheadSize) {
		n, err := r.next(b, r.offset)
		r.offset += int64(n)
		return n, err
	}
	if len(r.ahead) == 0 {
		if r.buffer == nil {
			r.buffer = make([]byte, aheadSize)
		}
		n, err := r.next(r.buffer, r.offset)
		if n == 0 {
			return 0, err
		}
		r.ahead = r.buffer[:n]
	}
	n := copy(b, r.ahead)
	r.ahead = r.ahead[n:]
	r.offset += int64(n)
	return n, nil
}

// next is ReadAt that asks beside whether there is more than the file had, so that its end needs no further round trip.
func (r *reader) next(b []byte, offset int64) (n int, err error) {
	left := r.first.Size - offset
	if left <= 0 || left >= int64(len(b)) {
		n, err = r.ReadAt(b, offset)
		if n > 0 && err == io.EOF {
			err = nil // for now: it may grow
		}
		return n, err
	}
	var end error
	err = together(
		func() (err error) { n, err = r.ReadAt(b[:left], offset); return err },
		func() error { _, end = r.ReadAt(make([]byte, 1), r.first.Size); return nil })
	if err == nil && end == io.EOF {
		err = io.EOF
	}
	return n, err
}

func (r *reader) Close() error { return r.end(false) }

// NextData knows no holes.
func (r *reader) NextData(offset, size int64) (start, end int64, err error) {
	return min(offset, size), size, nil
}

func (r *reader) Xattrs() ([]endpoint.Xattr, error) { return nil, nil }

// DropCache can't reach the host's memory.
func (r *reader) DropCache() error { return nil }
