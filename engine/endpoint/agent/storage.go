package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// endPatience is how long a process may take to end its session before it is ended itself.
const endPatience = 5 * time.Second

// enough is how many bytes a process is given before others are started: what a channel carries in a round trip.
const enough = 2 << 20

// Storage is the far host's folders below some roots, by several processes: what is asked and locked goes through the first,
// and data through the one that has least to do.
type Storage struct {
	pool     *Pool
	roots    []string
	ctx      context.Context // ends when it is closed, or has failed for good
	cancel   context.CancelCauseFunc
	lanes    []*lane
	widen    sync.Once
	choosing sync.Mutex     // see reserve
	locked   atomic.Int32   // locks that are held
	tasks    sync.WaitGroup // of its own, ended by Close

	mu    sync.Mutex
	ended bool
	locks map[*dir]*lock
	fresh map[place]fresh
	// epochs are those that folders were found in, each with one of them.
	epochs map[string]string

	patience context.Context // ends with ctx, or when nobody cares any more to reach what was lost
	hurry    context.CancelFunc
}

var _ endpoint.Storage = (*Storage)(nil)

func newStorage(p *Pool, roots []string) *Storage {
	s := &Storage{pool: p, roots: roots, locks: map[*dir]*lock{}, fresh: map[place]fresh{}, epochs: map[string]string{}}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.patience, s.hurry = context.WithCancel(s.ctx)
	context.AfterFunc(s.ctx, s.drop)
	for i := range p.options.Connections {
		s.lanes = append(s.lanes, &lane{s: s, index: i})
	}
	return s
}

// Close ends the session: everything under way fails, what is open is closed and what is locked is free once it returns. The
// processes go back to the pool.
func (s *Storage) Close() error {
	s.mu.Lock()
	ended := s.ended
	s.ended = true
	s.mu.Unlock()
	if ended {
		return nil
	}
	s.cancel(errClosed)
	var ending sync.WaitGroup
	for _, l := range s.lanes {
		ending.Go(l.end)
	}
	ending.Wait()
	s.tasks.Wait()
	s.pool.forget(s)
	return nil
}

// Version is of the ketter there.
func (s *Storage) Version() string {
	if c := s.lanes[0].ready(); c != nil {
		return c.banner.Version
	}
	return ""
}

// Hurry says whether nobody waits any more for what the Storage may reach again: then a process that is lost stays lost. What
// is there goes on.
func (s *Storage) Hurry(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.hurry()
	} else if s.patience.Err() != nil {
		s.patience, s.hurry = context.WithCancel(s.ctx)
	}
}

func (s *Storage) patient() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.patience
}

// background does something that ends by itself, soon after Close; not if that was before.
func (s *Storage) background(do func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.tasks.Go(do)
	return true
}

// Broken returns why the Storage can't be used any more, nil as long as it can.
func (s *Storage) Broken() error { return s.failed() }

// failed is why the Storage can't be used any more.
func (s *Storage) failed() error {
	if s.ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(s.ctx); !errors.Is(cause, errClosed) {
		return cause
	}
	return &failure.Error{Code: failure.PortalUnreachable, Op: "agent", Err: errClosed}
}

// Locate costs one round trip.
func (s *Storage) Locate(path string) (*endpoint.Place, error) {
	q := &encoder{}
	q.text(path)
	in, err := s.ask(opLocate, q, true)
	if err != nil {
		return nil, err
	}
	found := &endpoint.Place{Path: in.text(), Missing: in.texts()}
	for _, name := range found.Missing {
		if checkName(name) != nil {
			in.fail()
		}
	}
	found.Info = in.info()
	d := &dir{s: s, place: place{base: found.Path}, device: found.Info.Device, capabilities: in.capabilities()}
	if len(found.Missing) == 0 {
		found.Missing = nil
	}
	found.Dir = d
	if err := in.err(); err != nil {
		return nil, err
	}
	s.note(found, d.capabilities)
	return found, nil
}

// Below is false where the host can't be asked.
func (s *Storage) Below(real string) bool {
	q := &encoder{}
	q.text(real)
	in, err := s.ask(opBelow, q, true)
	return err == nil && in.flag() && in.err() == nil
}

// ask asks the first process. Where the process is lost and the request may have been carried out, it is asked again only if
// that makes no difference.
func (s *Storage) ask(op op, q *encoder, again bool) (*decoder, error) {
	var answer *call
	err := s.again(again, func() error {
		c, err := s.lanes[0].get()
		if err != nil {
			return err
		}
		answer, err = c.ask(op, q.b, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &answer.in, nil
}

// again tries until it is no longer a lost process that it fails of.
func (s *Storage) again(always bool, try func() error) error {
	for _, delay := range s.pool.options.Delays {
		err := try()
		is, asked := isLost(err)
		switch {
		case s.failed() != nil && err != nil:
			return s.failed()
		case !is && !isUnreachable(err), asked && !always:
			return err
		}
		if s.pause(delay) != nil {
			return err
		}
	}
	return try()
}

func isUnreachable(err error) bool {
	return err != nil && failure.CodeOf(err) == failure.PortalUnreachable
}

func (s *Storage) pause(delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.patient().Done():
		return context.Canceled
	}
}

// pick returns a process for size bytes of data: the one that has least to do. Where all have something, more are started,
// to be used once they are there.
func (s *Storage) pick(home *lane) (*lane, *conn, error) {
	var best *lane
	var to *conn
	for _, l := range s.lanes {
		c := l.ready()
		if c == nil {
			continue
		}
		if best == nil || c.load.Load() < to.load.Load() || l == home && c.load.Load() == to.load.Load() {
			best, to = l, c
		}
	}
	if best == nil {
		if home == nil {
			home = s.lanes[0]
		}
		c, err := home.get()
		return home, c, err
	}
	if to.load.Load() >= enough {
		s.startAll()
	}
	return best, to, nil
}

// reserve picks a process for size bytes and counts them as its load, which the caller takes back. One at a time: many who
// look at once would all find the same one idle.
func (s *Storage) reserve(size int64) (*conn, error) {
	s.choosing.Lock()
	defer s.choosing.Unlock()
	_, c, err := s.pick(nil)
	if err == nil {
		c.load.Add(size)
	}
	return c, err
}

// startAll starts the other processes, without waiting for them. A host that lets only some be started is used by those.
func (s *Storage) startAll() {
	s.widen.Do(func() {
		for _, l := range s.lanes[1:] {
			s.background(func() { _, _ = l.get() })
		}
	})
}
