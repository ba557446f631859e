package agent

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// link is one direction of a connection: what is written is read after delay, and at most as much as a channel's window is
// under way.
type link struct {
	delay time.Duration
	mu    sync.Mutex
	more  *sync.Cond
	queue []flight
	size  int
	ended error // what reads end with once all was read; writes at once
	cut   bool  // reads end at once
	left  int   // bytes until the cut; negative for none
	onCut func()
}

type flight struct {
	due   time.Time
	bytes []byte
}

const linkWindow = 2 << 20

func newLink(delay time.Duration, left int) *link {
	l := &link{delay: delay, left: left}
	l.more = sync.NewCond(&l.mu)
	return l
}

func (l *link) Write(p []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(p) > 0 {
		for l.ended == nil && l.size >= linkWindow {
			l.more.Wait()
		}
		if l.ended != nil {
			return n, l.ended
		}
		part := min(len(p), 256<<10, linkWindow-l.size)
		if l.left >= 0 && part >= l.left {
			part = l.left
		}
		l.queue = append(l.queue, flight{time.Now().Add(l.delay), append([]byte(nil), p[:part]...)})
		l.size += part
		n, p = n+part, p[part:]
		if l.left >= 0 {
			if l.left -= part; l.left == 0 {
				l.left = -1
				go l.onCut()
				l.ended = errCut
			}
		}
		l.more.Broadcast()
	}
	return n, nil
}

var errCut error = &failure.Error{Code: failure.PortalUnreachable, Err: errors.New("cut")}

func (l *link) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.cut && l.ended == nil && len(l.queue) == 0 {
		l.more.Wait()
	}
	if l.cut || len(l.queue) == 0 {
		return 0, l.ended
	}
	first := &l.queue[0]
	if wait := time.Until(first.due); wait > 0 {
		l.mu.Unlock()
		time.Sleep(wait)
		l.mu.Lock()
		if l.cut {
			return 0, l.ended
		}
		first = &l.queue[0]
	}
	n := copy(p, first.bytes)
	first.bytes = first.bytes[n:]
	if len(first.bytes) == 0 {
		l.queue = l.queue[1:]
	}
	l.size -= n
	l.more.Broadcast()
	return n, nil
}

func (l *link) end(err error, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil {
		l.ended = err
	}
	l.cut = l.cut || cut
	l.more.Broadcast()
}

// memory starts agents in this process.
type memory struct {
	t       testing.TB
	options ServeOptions
	delay   time.Duration
	cuts    func(start int) (toServer, toClient int) // after how many bytes; -1 for never
	ghost   bool                                     // a lost agent doesn't notice
	starts  atomic.Int32
	running sync.WaitGroup
}

type memoryProcess struct {
	to, from *link
	done     chan struct{}
	err      error
	ghost    bool
}

func (m *memory) Start(ctx context.Context, command remote.Command) (remote.Process, error) {
	start := int(m.starts.Add(1)) - 1
	a, b := -1, -1
	if m.cuts != nil {
		a, b = m.cuts(start)
	}
	p := &memoryProcess{to: newLink(m.delay, a), from: newLink(m.delay, b), done: make(chan struct{}), ghost: m.ghost}
	p.to.onCut = func() { p.end(errCut) }
	p.from.onCut = p.to.onCut
	m.running.Go(func() {
		defer close(p.done)
		p.err = Serve(context.Background(), p.to, p.from, m.options)
		p.from.end(io.EOF, false)
		p.to.end(io.EOF, true)
	})
	return p, nil
}

func (p *memoryProcess) end(err error) {
	if !p.ghost {
		p.to.end(err, true)
	}
	p.from.end(err, true)
}

func (p *memoryProcess) Read(b []byte) (int, error)  { return p.from.Read(b) }
func (p *memoryProcess) Write(b []byte) (int, error) { return p.to.Write(b) }
func (p *memoryProcess) CloseWrite() error           { p.to.end(io.EOF, false); return nil }
func (p *memoryProcess) Wait() error {
	if p.ghost {
		return nil
	}
	<-p.done
	return nil
}
func (p *memoryProcess) Close() error { p.end(errCut); return nil }

func newPool(t testing.TB, starter remote.Starter, o Options) *Pool {
	t.Helper()
	if o.Delays == nil {
		o.Delays = []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}
	}
	p := NewPool(starter, o)
	t.Cleanup(func() { p.Close() })
	return p
}

func openAt(t testing.TB, p *Pool, root string) (*Storage, endpoint.Dir) {
	t.Helper()
	s, err := p.Open(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	place, err := s.Locate(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { place.Dir.Close() })
	return s, place.Dir
}

// counting counts what goes through its processes.
type counting struct {
	memory
	sent, got *atomic.Int64
}

type countingProcess struct {
	remote.Process
	of *counting
}

func (c *counting) Start(ctx context.Context, command remote.Command) (remote.Process, error) {
	p, err := c.memory.Start(ctx, command)
	return countingProcess{p, c}, err
}

func (p countingProcess) Write(b []byte) (int, error) {
	n, err := p.Process.Write(b)
	p.of.sent.Add(int64(n))
	return n, err
}

func (p countingProcess) Read(b []byte) (int, error) {
	n, err := p.Process.Read(b)
	p.of.got.Add(int64(n))
	return n, err
}
