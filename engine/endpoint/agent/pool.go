package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/remote"
)

// Options are how a host's agents are used. What is zero has a default.
type Options struct {
	AgentPath   string          // of the ketter to run there; it is looked for in PATH where this is empty, or isn't there
	Connections int             // processes of one Storage, at most: 4
	Keep        time.Duration   // how long a process waits for the next Storage: a minute
	Greeting    time.Duration   // how long one may take to introduce itself: 20 s
	Ping        time.Duration   // between signs of life: 10 s
	GiveUp      time.Duration   // how long an agent may say nothing: 20 s
	Delays      []time.Duration // before each further try to reach an agent that was lost: 0.5, 2.5 and 7 s
	LockWait    time.Duration   // how long our own lost process may go on holding a lock: 75 s, more than a silent agent lives
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		is *time.Duration
		to time.Duration
	}{{&o.Keep, time.Minute}, {&o.Greeting, 20 * time.Second}, {&o.Ping, 10 * time.Second}, {&o.GiveUp, 20 * time.Second},
		{&o.LockWait, 75 * time.Second}} {
		if *d.is == 0 {
			*d.is = d.to
		}
	}
	if o.Connections == 0 {
		o.Connections = 4
	}
	if o.Delays == nil {
		o.Delays = []time.Duration{500 * time.Millisecond, 2500 * time.Millisecond, 7 * time.Second}
	}
	return o
}

// Pool keeps processes of one host's agent, so that the next Storage need not start them. It is safe for use by several
// goroutines.
type Pool struct {
	starter remote.Starter
	options Options

	mu     sync.Mutex
	warm   []*warmConn
	used   map[*Storage]bool
	closed bool
}

type warmConn struct {
	*conn
	timer *time.Timer
}

var errClosed = errors.New("agent: it is closed")

// NewPool starts nothing yet.
func NewPool(starter remote.Starter, o Options) *Pool {
	return &Pool{starter: starter, options: o.withDefaults(), used: map[*Storage]bool{}}
}

// Probe tells which agent the host has, and keeps the process for the Storage to come: ErrNoAgent (perhaps a *NoneError)
// where there is none, ErrVersion where it speaks another protocol, else an error of the Starter.
func (p *Pool) Probe(ctx context.Context) (Banner, error) {
	c, err := p.take(ctx)
	if err != nil {
		return Banner{}, err
	}
	defer p.put(c)
	return c.banner, nil
}

// Open begins a session below roots, absolute and clean paths of the far host. It starts an agent if none is warm, and waits
// for nothing else: that a root doesn't exist is Locate's to tell.
func (p *Pool) Open(ctx context.Context, roots ...string) (*Storage, error) {
	if err := checkRoots(roots); err != nil {
		return nil, err
	}
	c, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	s := newStorage(p, roots)
	if err := s.lanes[0].adopt(c); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[s] = true
	return s, nil
}

// Close ends all processes, those of Storages that are open too, and waits for them.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	warm, used := p.warm, p.used
	p.warm, p.used = nil, map[*Storage]bool{}
	p.mu.Unlock()
	for s := range used {
		_ = s.Close()
	}
	for _, w := range warm {
		if w.timer.Stop() {
			w.fail(errClosed)
		}
		<-w.gone
	}
	return nil
}

// take returns a process that waits, or starts one.
func (p *Pool) take(ctx context.Context) (*conn, error) {
	for {
		w, err := p.pop()
		if err != nil {
			return nil, err
		}
		if w == nil {
			return connect(ctx, p.starter, &p.options)
		}
		if w.timer.Stop() && !w.dead() {
			return w.conn, nil
		}
	}
}

func (p *Pool) pop() (*warmConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if len(p.warm) == 0 {
		return nil, nil
	}
	w := p.warm[len(p.warm)-1]
	p.warm = p.warm[:len(p.warm)-1]
	return w, nil
}

// put keeps a process that has no session.
func (p *Pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.dead() {
		c.fail(errClosed)
		return
	}
	w := &warmConn{conn: c}
	w.timer = time.AfterFunc(p.options.Keep, func() { p.expire(w) })
	p.warm = append(p.warm, w)
}

func (p *Pool) expire(w *warmConn) {
	w.fail(errClosed)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.warm {
		if p.warm[i] == w {
			p.warm = append(p.warm[:i], p.warm[i+1:]...)
			return
		}
	}
}

func (p *Pool) forget(s *Storage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, s)
}
