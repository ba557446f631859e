package agent

import (
	"sync"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// handle is an open file or a lock: what the client has given a number.
type handle struct {
	mu    sync.Mutex
	queue []*request // in their order, each once the one before is done
	busy  bool       // somebody works on the queue

	using  sync.Mutex // whatever is done with what follows
	reader endpoint.Reader
	writer endpoint.Writer
	dir    endpoint.Dir
	failed error // why it was not opened
}

func (h *handle) close() error {
	h.using.Lock()
	defer h.using.Unlock()
	switch {
	case h.reader != nil:
		return h.reader.Close()
	case h.writer != nil:
		return h.writer.Close()
	case h.dir != nil:
		return h.dir.Close()
	}
	return nil
}

// takeHandle puts a request behind those of the same number. Where there are none, closing is done at once, so that what
// follows finds it closed.
func (s *server) takeHandle(r *request) error {
	number := uint32(r.in.size(1<<32 - 1))
	if r.in.bad {
		return errProtocol
	}
	h, err := s.handleFor(r.op, number)
	if err != nil {
		defer s.release(r)
		return s.answer(r, nil, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.op == opClose && !h.busy {
		s.serveHandle(s.session, h, r, number)
		return nil
	}
	h.queue = append(h.queue, r)
	if h.busy {
		return nil
	}
	h.busy = true
	session := s.session
	return session.begin(func() { s.work(session, h, number) })
}

// handleFor makes one where the request opens it.
func (s *server) handleFor(op op, number uint32) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.handles[number]
	opens := op == opOpen || op == opCreate || op == opReopen
	switch {
	case h != nil && opens:
		return nil, errProtocol
	case h != nil:
		return h, nil
	case !opens && op != opLock:
		return nil, &errUnopened{syscall.EBADF}
	case len(s.handles) >= maxHandles || s.ended:
		return nil, syscall.EMFILE
	}
	h = &handle{}
	s.handles[number] = h
	return h, nil
}

// work does what is in the queue, until there is nothing.
func (s *server) work(session *session, h *handle, number uint32) {
	for {
		h.mu.Lock()
		if len(h.queue) == 0 {
			h.busy = false
			h.mu.Unlock()
			return
		}
		r := h.queue[0]
		h.queue = h.queue[1:]
		h.mu.Unlock()
		s.slots <- struct{}{}
		s.serveHandle(session, h, r, number)
		<-s.slots
	}
}

func (s *server) serveHandle(session *session, h *handle, r *request, number uint32) {
	defer s.release(r)
	out := &encoder{}
	var err error
	read := &buffer{}
	switch {
	case session.ctx.Err() != nil:
		return // nobody waits for the answer
	case r.op == opClose:
		session.mu.Lock()
		delete(session.handles, number)
		session.mu.Unlock()
		err = h.close()
	case r.op == opRead:
		read, err = h.read(r)
	case r.op <= opReopen:
		err = s.openHandle(h, r, out)
	default:
		err = s.useHandle(session, h, r, out)
	}
	if s.answer(r, out, err, read.bytes()) != nil {
		s.hangUp()
	}
	read.put()
}

// openHandle opens what the request names. The client may ask for a file to be the one it has opened before.
func (s *server) openHandle(h *handle, r *request, out *encoder) error {
	h.using.Lock()
	defer h.using.Unlock()
	if r.op == opLock {
		return s.lock(h, r.in, out)
	}
	err := s.within(r.in, func(d endpoint.Dir) error {
		name, mode, device, inode := r.in.text(), uint32(r.in.num()), r.in.num(), r.in.num()
		if err := r.in.err(); err != nil {
			return err
		}
		return h.open(d, r.op, name, mode, func(info endpoint.Info) error {
			out.info(info)
			if inode != 0 && (info.Device != device || info.Inode != inode) {
				return syscall.ESTALE
			}
			return nil
		})
	})
	if err != nil {
		h.failed = err
	}
	return err
}

// open opens a file and checks what it has opened.
func (h *handle) open(d endpoint.Dir, op op, name string, mode uint32, check func(endpoint.Info) error) (err error) {
	switch op {
	case opOpen:
		h.reader, err = d.Open(name)
	case opCreate:
		h.writer, err = d.Create(name, mode)
	default:
		h.writer, err = d.Reopen(name)
	}
	if err != nil {
		h.reader, h.writer = nil, nil
		return err
	}
	var info endpoint.Info
	if h.reader != nil {
		info, err = h.reader.Info()
	} else {
		info, err = d.Lstat(name)
	}
	if err == nil {
		err = check(info)
	}
	if err != nil {
		h.shut()
	}
	return err
}

func (h *handle) shut() {
	if h.reader != nil {
		h.reader.Close()
	}
	if h.writer != nil {
		_ = h.writer.Close() // nothing was written
	}
	h.reader, h.writer = nil, nil
}

// lock locks a folder, which stays open whether it could be locked or not: a second try is for the same one.
func (s *server) lock(h *handle, in *decoder, out *encoder) (err error) {
	if h.dir == nil {
		h.dir, err = s.openAlone(in)
	}
	if err != nil {
		h.dir = nil // a nil *dir in an endpoint.Dir is not nil
		return err
	}
	if err := h.dir.TryLock(); err != nil {
		return err
	}
	info, err := h.dir.Info()
	out.info(info)
	return err
}
