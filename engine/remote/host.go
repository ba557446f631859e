package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// Host starts programs on a host, over a few connections that it makes as they are needed.
type Host struct {
	target  Target
	options Options
	life    context.Context
	dials   chan struct{} // holds one for each dial under way

	mu       sync.Mutex
	live     []*connection
	dialling int
	changed  chan struct{} // closed and made anew when a dial ends
	closed   bool
	group    sync.WaitGroup // of connections and dials
}

var _ Starter = (*Host)(nil)

func newHost(target Target, options Options, life context.Context) *Host {
	return &Host{target: target, options: options, life: life, dials: make(chan struct{}, options.Dials),
		changed: make(chan struct{})}
}

// errFull says that a connection has as many sessions as the host lets it have.
var errFull = errors.New("remote: the host opens no further session on the connection")

// Start puts a process on the connection with the fewest, making another one while there may be more and none is free.
func (h *Host) Start(ctx context.Context, command Command) (Process, error) {
	var last error
	for range 2*h.target.Connections + 2 {
		c, err := h.connection(ctx)
		if err != nil {
			return nil, errors.Join(err, last)
		}
		p, err := c.start(ctx, command)
		if err == nil {
			return p, nil
		}
		if last = err; !h.startFailed(c, err) || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, last
}

// startFailed gives back the connection's place, and reports whether another try may do better: on another connection if
// this one is full, or was lost without anybody having noticed.
func (h *Host) startFailed(c *connection, err error) bool {
	full := errors.Is(err, errFull)
	h.mu.Lock()
	c.processes--
	if full && c.processes > 0 {
		c.limit = c.processes
	}
	useless := full && c.processes == 0
	h.mu.Unlock()
	if useless {
		c.kill(nil)
	}
	return full || c.isLost()
}

// connection returns one with a place taken on it.
func (h *Host) connection(ctx context.Context) (*connection, error) {
	for {
		c, dial, changed, err := h.choose()
		if c != nil || err != nil {
			return c, err
		}
		if dial {
			return h.another(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, h.unreachable("no connection was free in time", ctx.Err())
		}
	}
}

// choose takes a place on a live connection, or says to dial (which is counted from then on), or to wait for a dial.
func (h *Host) choose() (c *connection, dial bool, changed <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, nil, h.unreachable("the worker is stopping", nil)
	}
	h.live = slices.DeleteFunc(h.live, (*connection).isLost) // they drop themselves, too, but maybe not yet
	best := h.free()
	switch {
	case best != nil && best.processes == 0:
	case len(h.live)+h.dialling < h.target.Connections:
		h.dialling++
		h.group.Add(1)
		return nil, true, nil, nil
	case best == nil && h.dialling > 0:
		return nil, false, h.changed, nil
	case best == nil:
		return nil, false, nil, h.unreachable(fmt.Sprintf("it opens no more sessions on %d connections", len(h.live)), errFull)
	}
	best.processes++
	return best, false, nil, nil
}

// free is the live connection with the fewest processes that may have more.
func (h *Host) free() (best *connection) {
	for _, c := range h.live {
		if !c.isLost() && (c.limit == 0 || c.processes < c.limit) && (best == nil || c.processes < best.processes) {
			best = c
		}
	}
	return best
}

// another makes a connection. When that fails, one that is there does.
func (h *Host) another(ctx context.Context) (*connection, error) {
	defer h.group.Done()
	c, err := h.dial(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dialling--
	close(h.changed)
	h.changed = make(chan struct{})
	if err != nil {
		if c = h.free(); c == nil {
			return nil, err
		}
		c.processes++
		return c, nil
	}
	c.processes = 1
	if h.closed {
		c.kill(nil)
	}
	h.live = append(h.live, c)
	h.group.Go(c.run)
	return c, nil
}

// release gives a process's place back.
func (h *Host) release(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.processes--
	c.limit = 0 // it was what the host said while there were more
	c.idleSince = time.Now()
}

// isIdle reports whether the connection has had no process for so long that it isn't worth keeping; it is given none
// after that.
func (h *Host) isIdle(c *connection) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	idle := c.processes == 0 && time.Since(c.idleSince) >= h.options.Idle
	if idle {
		h.forget(c)
	}
	return idle
}

func (h *Host) drop(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(c)
}

func (h *Host) forget(c *connection) {
	h.live = slices.DeleteFunc(h.live, func(other *connection) bool { return other == c })
}

func (h *Host) close() {
	h.mu.Lock()
	h.closed = true
	for _, c := range h.live {
		c.kill(nil)
	}
	h.mu.Unlock()
	h.group.Wait()
}

// name is the host as an operator knows it: who is let in, and where.
func (t Target) name() string { return fmt.Sprintf("%s@%s", t.User, t.address()) }

func (h *Host) unreachable(why string, cause error) error {
	return &failure.Error{Code: failure.PortalUnreachable, Op: "ssh", Err: cause,
		Message: fmt.Sprintf("%s can't be reached: %s", h.target.name(), why)}
}
