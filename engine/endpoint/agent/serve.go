package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ketter/ketter/engine/endpoint/local"
)

const (
	maxTasks    = 64       // at once
	maxWaiting  = 1024     // requests that were read and not answered
	maxHandles  = 4096     // open files and locks
	maxMemory   = 64 << 20 // of requests that were read and not answered
	heartbeat   = 10 * time.Second
	defaultIdle = time.Minute
	// streamWindow is how many frames of an answer are sent before the client has taken the first.
	streamWindow = 4
	maxReading   = 4
	// patience is how long an end waits for what is under way.
	patience = 5 * time.Second
	forEver  = time.Duration(math.MaxInt64)
)

// errIdle is why an agent ends that nobody talks to.
var errIdle = errors.New("agent: the client was not heard for too long")

// ServeOptions are what an agent lets its client do.
type ServeOptions struct {
	Roots   []string      // folders, absolute and clean, below which it serves; all that its user may see, where there are none
	Version string        // of this ketter
	Idle    time.Duration // how long a client may be silent; a minute where zero
}

// Serve answers a client until in ends (nil), the client breaks the protocol or is silent for too long, or ctx ends. Whatever
// was opened or locked for it is closed by then.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o ServeOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	widen(in)
	widen(out)
	if _, err := io.WriteString(out, ourBanner(o.Version)); err != nil {
		return err
	}
	s := &server{born: time.Now(), allowed: local.Roots(o.Roots), in: bufio.NewReaderSize(in, 64<<10), out: newFrameWriter(out),
		ctx: ctx, memory: semaphore.NewWeighted(maxMemory), slots: make(chan struct{}, maxTasks),
		reading: make(chan struct{}, maxReading), broken: make(chan struct{}, 1)}
	s.renew()
	if o.Idle == 0 {
		o.Idle = defaultIdle
	}
	ended := make(chan error, 1)
	go func() { ended <- s.read() }() // it ends with in, which belongs to the caller
	err := s.watch(ended, o.Idle)
	cancel(err)
	s.end(patience)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// server is one client's.
type server struct {
	allowed local.Roots
	in      *bufio.Reader
	out     *frameWriter
	ctx     context.Context
	memory  *semaphore.Weighted // bytes of requests under way
	slots   chan struct{}       // held while something is done
	reading chan struct{}       // held by what reads whole files into memory
	broken  chan struct{}       // told when there is no use in going on
	born    time.Time
	quiet   atomic.Int64 // since when, after born, the reader has waited for the client; 0 while it doesn't
	*session
}

// session is what a reset does away with.
type session struct {
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	roots  local.Roots
	opened bool // by the client; before, it may ask for nothing
	bases  bases

	mu      sync.Mutex
	waiting map[uint32]*task
	handles map[uint32]*handle
	ended   bool
}

func (s *server) renew() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.session = &session{ctx: ctx, cancel: cancel, waiting: map[uint32]*task{}, handles: map[uint32]*handle{}}
}

// begin does something that end waits for.
func (s *session) begin(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errIdle
	}
	s.tasks.Go(do)
	return nil
}

// end waits for all that is under way, if need be not for ever, and closes everything.
func (s *session) end(patience time.Duration) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.cancel()
	done := make(chan struct{})
	go func() { s.tasks.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience): // it writes to a client that takes nothing in any more
	}
	s.mu.Lock()
	handles := s.handles
	s.handles = nil
	s.mu.Unlock()
	for _, h := range handles {
		_ = h.close() // nobody is there to be told
	}
	s.bases.close()
}

// watch returns why the session ends, and gives signs of life until then. Only while the reader waits for the client does the
// client's time run.
func (s *server) watch(ended <-chan error, idle time.Duration) error {
	tick := time.NewTicker(min(heartbeat, max(idle/4, time.Millisecond)))
	defer tick.Stop()
	busy := make(chan struct{}, 1)
	defer func() {
		select {
		case busy <- struct{}{}:
		case <-time.After(patience): // the client takes nothing in
		}
	}()
	for {
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case err := <-ended:
			return err
		case <-s.broken:
			return errProtocol
		case <-tick.C:
		}
		if since := s.quiet.Load(); since != 0 && time.Since(s.born)-time.Duration(since) > idle {
			return errIdle
		}
		select {
		case busy <- struct{}{}:
			go func() { _ = s.out.write(0, opPong, nil); <-busy }() // it may wait for ever; the next is not begun then
		default:
		}
	}
}

// request is a frame of the client's.
type request struct {
	header
	in     *decoder
	data   *buffer
	memory int64
}

// read takes in what the client says, until it ends.
func (s *server) read() error {
	s.wait()
	if err := skipFirstLine(s.in); err != nil {
		return err
	}
	for {
		r, err := s.next()
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := s.take(r); err != nil {
			return err
		}
	}
}

func (s *server) wait() { s.quiet.Store(max(1, int64(time.Since(s.born)))) }

func (s *server) next() (*request, error) {
	s.wait()
	h, err := readHeader(s.in)
	if err != nil {
		return nil, err
	}
	s.quiet.Store(0)
	r := &request{header: h, memory: int64(h.control+h.data) + 512}
	if err := s.memory.Acquire(s.ctx, r.memory); err != nil {
		return nil, err
	}
	s.wait()
	control := make([]byte, h.control)
	r.in, r.data = &decoder{b: control}, getBuffer(h.data)
	if _, err := io.ReadFull(s.in, control); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(s.in, r.data.bytes())
	s.quiet.Store(0)
	return r, err
}

// release lets go of what a request held.
func (s *server) release(r *request) {
	r.data.put()
	s.memory.Release(r.memory)
}

// take does what has to be done before the next frame is looked at, and hands on what hasn't.
func (s *server) take(r *request) error {
	if r.data.size > 0 && r.op != opWrite && r.op != opWriteAll || r.op > opReset && !s.opened {
		return errProtocol
	}
	switch {
	case r.op == opCancel || r.op == opCredit:
		defer s.release(r)
		return s.steer(r)
	case r.op == opPing:
		defer s.release(r)
		return s.out.write(r.id, opDone, nil)
	case r.op == opReset:
		defer s.release(r)
		s.end(forEver)
		s.renew()
		return s.out.write(r.id, opDone, nil)
	case r.op == opSession:
		defer s.release(r)
		return s.openSession(r)
	case r.op >= opLock && r.op <= opClose:
		return s.takeHandle(r)
	case r.op >= opLocate && r.op <= opDigests:
		return s.takeTask(r)
	default:
		return errProtocol
	}
}

// answer is the last frame of a request.
func (s *server) answer(r *request, out *encoder, err error, data ...[]byte) error {
	if errors.Is(err, errProtocol) {
		return errProtocol
	}
	if err == nil {
		return s.out.write(r.id, opDone, out.b, data...)
	}
	failed := &encoder{}
	failed.error(err)
	return s.out.write(r.id, opFailed, failed.b)
}

// openSession says below which folders the client wants to look, until the next reset.
func (s *server) openSession(r *request) error {
	roots := r.in.texts()
	if s.opened || r.in.err() != nil {
		return errProtocol
	}
	if err := checkRoots(roots); err != nil {
		return s.answer(r, nil, err)
	}
	s.roots, s.opened = roots, true
	return s.answer(r, &encoder{}, nil)
}
