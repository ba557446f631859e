package sftp

import (
	"os"
	"sync"
	"syscall"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

// file is a file that is open on as many sessions as its bytes are worth. It must keep its name while it is open.
type file struct {
	storage *Storage
	path    string
	flags   int                       // as of os.OpenFile, for every opening but the one that made it
	same    func(endpoint.Info) error // refuses what has the name now, when it is opened again; nil takes any file

	mu     sync.Mutex
	open   map[*session]*handle
	looked bool // the first opening needs no look any more
	closed bool
}

// handle is a file open on a session, or being opened there.
type handle struct {
	ready chan struct{} // closed once it is open, or failed
	file  *sftp.File
	err   error
}

// holds reports whether the file is open on a session. The pool asks, and is locked.
func (f *file) holds(s *session) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[s] != nil
}

// do performs a request on the file that may be done twice, with about so many bytes.
func (f *file) do(bytes int64, op func(*session, *sftp.File) error) error {
	return f.storage.retry(func() error {
		on, err := f.storage.pool.pick(f.holds)
		if err != nil {
			return err
		}
		err = on.do(requestCost+bytes, func(on *session) error {
			opened, err := f.on(on)
			if err != nil {
				return err
			}
			return op(on, opened)
		})
		if isLost(err) {
			f.forget(on)
		}
		return err
	})
}

// on opens the file on a session, once.
func (f *file) on(s *session) (*sftp.File, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, here(syscall.EBADF)
	}
	h := f.open[s]
	if h != nil {
		f.mu.Unlock()
		<-h.ready
		return h.file, h.err
	}
	h = &handle{ready: make(chan struct{})}
	f.open[s] = h
	look := !f.looked
	f.looked = false
	f.mu.Unlock()
	h.file, h.err = f.openOn(s, look)
	close(h.ready)
	if h.err != nil {
		f.forget(s)
	}
	return h.file, h.err
}

// openOn looks before it opens: SFTP follows links, and a server that opens a FIFO waits for ever.
func (f *file) openOn(s *session, look bool) (*sftp.File, error) {
	if look {
		info, err := lstatOn(s, f.path)
		if err != nil {
			return nil, err
		}
		if err := needFile(info); err != nil {
			return nil, here(err)
		}
	}
	opened, err := s.client.OpenFile(f.path, f.flags)
	if err != nil || !look || f.same == nil {
		return opened, err
	}
	got, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	if err := f.same(infoOf(got)); err != nil {
		f.storage.pool.beside(func() { _ = opened.Close() }) // nothing was asked of it
		return nil, here(err)
	}
	return opened, nil
}

func (f *file) forget(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, s)
}

// end lets go of the file: beside, where nobody needs to know how that ends.
func (f *file) end(wait bool) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return os.ErrClosed
	}
	f.closed = true
	open := f.open
	f.open = nil
	f.mu.Unlock()
	var closes []func() error
	for s, h := range open {
		closes = append(closes, func() error {
			<-h.ready
			if h.err != nil {
				return nil
			}
			return s.do(requestCost, func(*session) error { return h.file.Close() })
		})
	}
	switch {
	case len(closes) == 0:
		return nil
	case wait:
		return together(closes...)
	}
	for _, c := range closes {
		f.storage.pool.beside(func() { _ = c() })
	}
	return nil
}

// pieces calls fn for each piece of size bytes that fits a request, all at once, and returns the first one's error, and how
// much is done before it.
func (f *file) pieces(size int, fn func(from, to int) (int, error)) (int, error) {
	most := int(f.storage.piece)
	n := max((size+most-1)/most, 1)
	each := (size + n - 1) / n
	done := make([]int, n)
	calls := make([]func() error, n)
	for i := range n {
		calls[i] = func() (err error) {
			done[i], err = fn(min(i*each, size), min((i+1)*each, size))
			return err
		}
	}
	err := together(calls...)
	total := 0
	for i, n := range done {
		total += n
		if n < min((i+1)*each, size)-min(i*each, size) {
			break
		}
	}
	return total, err
}
