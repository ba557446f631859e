package agent

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	chunkSize = 1 << 20   // bytes that one request moves, at most
	aheadSize = 256 << 10 // bytes that are read ahead by one request
	mostAhead = 8         // such requests under way
)

// reader is a file to read. Read has stretches asked for before they are wanted, ReadAt asks through several processes.
type reader struct {
	f *file

	mu    sync.Mutex // one Read at a time
	at    int64      // where the next stretch begins that isn't asked for
	ahead []*stretch
	depth int // how many are asked for
}

// stretch is a part of the file that was asked for.
type stretch struct {
	memory []byte
	left   []byte // of memory, once it has come
	done   chan struct{}
	n      int
	err    error
}

var _ endpoint.Reader = (*reader)(nil)

func (d *dir) Open(name string) (endpoint.Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var f *file
	err := d.s.again(true, func() error {
		home, c, err := d.s.pick(nil)
		if err != nil {
			return err
		}
		f = newFile(d, name, opOpen, home)
		return f.open(c, opOpen, 0)
	})
	if err != nil {
		return nil, err
	}
	return &reader{f: f, depth: 1}, nil
}

func (r *reader) Close() error {
	r.f.close()
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.ahead) < r.depth {
		r.askAhead()
	}
	r.depth = min(2*r.depth, mostAhead)
	head := r.ahead[0]
	<-head.done
	if head.left == nil {
		head.left = head.memory[:head.n]
	}
	n := copy(p, head.left)
	head.left = head.left[n:]
	if n > 0 {
		if len(head.left) == 0 && head.n == aheadSize {
			r.ahead = r.ahead[1:]
		}
		return n, nil
	}
	if head.err == nil {
		head.err = io.EOF
	}
	return 0, head.err
}

// askAhead asks for one more stretch. Beyond the end there is nothing to be gained by more than one.
func (r *reader) askAhead() {
	s := &stretch{memory: make([]byte, aheadSize), done: make(chan struct{})}
	offset := r.at
	if offset > r.f.info.Size && len(r.ahead) > 0 {
		r.depth = len(r.ahead)
		return
	}
	r.at += aheadSize
	r.ahead = append(r.ahead, s)
	asked := r.f.s.background(func() {
		defer close(s.done)
		s.n, s.err = r.f.readAt(s.memory, offset)
	})
	if !asked {
		s.err = r.f.s.failed()
		close(s.done)
	}
}

// ReadAt asks for long stretches in several pieces at once.
func (r *reader) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	if len(p) <= chunkSize {
		return atEnd(p, offset, r.f.readAt)
	}
	ns := make([]int, (len(p)+chunkSize-1)/chunkSize)
	var pieces errgroup.Group
	pieces.SetLimit(2 * len(r.f.s.lanes))
	for i := range ns {
		piece := p[i*chunkSize : min(len(p), (i+1)*chunkSize)]
		pieces.Go(func() (err error) { ns[i], err = r.f.readAt(piece, offset+int64(i*chunkSize)); return err })
	}
	err := pieces.Wait()
	done := 0
	for _, n := range ns {
		done += n
		if n < chunkSize {
			break
		}
	}
	if err == nil && done < len(p) {
		err = io.EOF
	}
	return done, err
}

func atEnd(p []byte, offset int64, read func([]byte, int64) (int, error)) (int, error) {
	n, err := read(p, offset)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// readAt reads less than asked for only at the end of the file.
func (f *file) readAt(p []byte, offset int64) (n int, err error) {
	q := &encoder{}
	q.signed(offset)
	q.num(uint64(len(p)))
	read := func() error {
		c, err := f.pick()
		if err != nil {
			return err
		}
		c.load.Add(int64(len(p)))
		defer c.load.Add(-int64(len(p)))
		answer, err := c.ask(opRead, f.query(c, q.b), p)
		var unopened *errUnopened
		if errors.As(err, &unopened) && f.elsewhere(c) {
			return lost(false, err) // try again, at home
		}
		n = answer.n
		return opened(err)
	}
	return n, f.s.again(true, read)
}

// elsewhere bars a process from the file, unless that is the one at home.
func (f *file) elsewhere(c *conn) bool {
	if f.home.ready() == c {
		return false
	}
	f.bar(c)
	return true
}

func (r *reader) Info() (endpoint.Info, error) {
	in, err := r.f.ask(opFileInfo, nil)
	if err != nil {
		return endpoint.Info{}, err
	}
	info := in.info()
	return info, in.err()
}

func (r *reader) Xattrs() ([]endpoint.Xattr, error) {
	in, err := r.f.ask(opFileXattrs, nil)
	if err != nil {
		return nil, err
	}
	all := in.xattrs()
	return all, in.err()
}

func (r *reader) NextData(offset, size int64) (start, end int64, err error) {
	q := &encoder{}
	q.signed(offset)
	q.signed(size)
	in, err := r.f.ask(opNextData, q.b)
	if err != nil {
		return 0, 0, err
	}
	start, end = in.signed(), in.signed()
	if in.err() != nil || size > offset && (start < offset || end < start || end > size || start == end && start != size) {
		return 0, 0, errProtocol
	}
	return start, end, nil
}

func (r *reader) DropCache() error {
	_, err := r.f.ask(opDropCache, nil)
	return err
}
