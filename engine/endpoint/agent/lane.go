package agent

import (
	"context"
	"errors"
	"sync"

	"github.com/ketter/ketter/engine/failure"
)

// lane is a place for one process of a Storage's; one that is lost is followed by another.
type lane struct {
	s     *Storage
	index int

	mu       sync.Mutex
	c        *conn
	starting *start // nil while none is started
	ended    bool
}

// start is a process that is being started. Whoever needs it meanwhile shares how that ends: a host that is silent is asked
// once, and not by one after the other.
type start struct {
	done chan struct{}
	c    *conn
	err  error
}

// ready returns the process if there is one. Beside the first there is none while a lock waits to be taken again: nothing may
// be written without it.
func (l *lane) ready() *conn {
	if l.index > 0 && l.s.locked.Load() > 0 && l.s.lanes[0].ready() == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil || l.c.dead() {
		return nil
	}
	return l.c
}

// get starts one if there is none.
func (l *lane) get() (*conn, error) {
	if err := l.s.failed(); err != nil {
		return nil, err
	}
	if c := l.ready(); c != nil {
		return c, nil
	}
	if l.index > 0 && l.s.locked.Load() > 0 {
		if _, err := l.s.lanes[0].get(); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	if under := l.starting; under != nil {
		l.mu.Unlock()
		<-under.done
		return under.c, under.err
	}
	mine := &start{done: make(chan struct{})}
	l.starting = mine
	l.mu.Unlock()
	mine.c, mine.err = l.start()
	l.mu.Lock()
	l.starting = nil
	l.mu.Unlock()
	close(mine.done)
	return mine.c, mine.err
}

func (l *lane) start() (*conn, error) {
	if c := l.ready(); c != nil { // since it was looked for
		return c, nil
	}
	c, err := l.s.pool.take(l.s.patient())
	if err != nil {
		if failed := l.s.failed(); failed != nil {
			return nil, failed
		}
		if errors.Is(err, context.Canceled) {
			return nil, lost(false, err)
		}
		if errors.Is(err, ErrNoAgent) || errors.Is(err, ErrVersion) { // there was one: it is a host that goes down, or is changed
			return nil, &failure.Error{Code: failure.PortalUnreachable, Op: "agent", Err: err,
				Message: "The agent on the portal's host was lost and can't be started again"}
		}
		return nil, err
	}
	if err := l.adopt(c); err != nil {
		c.fail(err)
		return nil, err
	}
	return c, nil
}

// adopt begins a session on a process. It is not waited for: whatever is asked comes after it.
func (l *lane) adopt(c *conn) error {
	q := &encoder{}
	q.texts(l.s.roots)
	c.tell(opSession, q.b)
	if l.index == 0 {
		if err := l.s.sameEpochs(c); err != nil {
			return err
		}
		if err := l.s.relock(c); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errClosed
	}
	l.c = c
	if l.index == 0 {
		l.s.background(func() { l.s.watchLocks(c) })
	}
	return nil
}

// end gives the process back, or ends it where something is under way.
func (l *lane) end() {
	l.mu.Lock()
	c := l.c
	l.ended = true
	l.mu.Unlock()
	if c == nil {
		return
	}
	if c.busy() {
		c.fail(errClosed)
	}
	if c.reset(endPatience) != nil {
		<-c.gone
		return
	}
	l.s.pool.put(c)
}
