package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ketter/ketter/engine/remote"
)

// window is how many bytes of requests one process is sent before it has answered the first.
const window = 4 << 20

// conn is a process of the agent's: requests and their answers.
type conn struct {
	process remote.Process
	banner  Banner
	in      *bufio.Reader
	out     *frameWriter
	window  *semaphore.Weighted
	load    atomic.Int64  // bytes asked for or sent, and not answered
	numbers atomic.Uint32 // of files and locks
	born    time.Time
	heard   atomic.Int64 // when it last said anything, after born

	ctx    context.Context // ends when the process is given up
	cancel context.CancelCauseFunc
	gone   chan struct{} // closed once everything under way has failed

	mu      sync.Mutex
	waiting map[uint32]*call
	last    uint32
	failed  error
}

// call is a request under way.
type call struct {
	id      uint32
	into    []byte      // where the answer's data goes
	parts   chan part   // of an answer that has several; nil for others
	then    func(*call) // called once it is done, and must not wait for anything
	awaited bool        // by somebody

	done chan struct{}
	in   decoder // the answer's fields
	n    int     // bytes of its data
	err  error
}

type part struct {
	in   decoder
	data *buffer
}

// attend keeps the agent from thinking that the client is gone, and gives up one that says nothing.
func (c *conn) attend(every, giveUp time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	busy := make(chan struct{}, 1)
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(c.born)-time.Duration(c.heard.Load()) > giveUp {
			c.fail(errors.New("the agent doesn't answer"))
			return
		}
		select {
		case busy <- struct{}{}:
			go func() { c.start(opPing, &call{}, nil); <-busy }() // it may wait until the connection is lost
		default:
		}
	}
}

// fail gives the process up. What is under way fails once nothing more can come.
func (c *conn) fail(err error) {
	c.cancel(err)
	_ = c.process.Close()
}

func (c *conn) dead() bool { return c.ctx.Err() != nil }

// start sends a request. Whatever happens, the call is done at last.
func (c *conn) start(op op, q *call, control []byte, data ...[]byte) {
	q.done = make(chan struct{})
	c.mu.Lock()
	if c.failed != nil {
		c.mu.Unlock()
		q.finish(lost(false, c.failed))
		return
	}
	for c.last++; c.last == 0 || c.waiting[c.last] != nil; c.last++ {
	}
	q.id = c.last
	c.waiting[q.id] = q
	c.mu.Unlock()
	if err := c.out.write(q.id, op, control, data...); err != nil {
		c.fail(err)
	}
}

func (q *call) finish(err error) {
	q.err = err
	if q.parts != nil {
		close(q.parts)
	}
	then := q.then
	close(q.done) // it is somebody else's now
	if then != nil {
		then(q)
	}
}

// ask is start, and waits.
func (c *conn) ask(op op, control []byte, into []byte, data ...[]byte) (*call, error) {
	q := &call{into: into, awaited: true}
	c.start(op, q, control, data...)
	<-q.done
	return q, q.err
}

// tell is for what needs no answer.
func (c *conn) tell(op op, control []byte) { c.start(op, &call{}, control) }

// steer sends what is about another request.
func (c *conn) steer(op op, id uint32) {
	if err := c.out.write(id, op, nil); err != nil {
		c.fail(err)
	}
}

// read takes in the answers until the process is gone.
func (c *conn) read() {
	for {
		err := c.next()
		if err == nil {
			continue
		}
		if cause := context.Cause(c.ctx); cause != nil {
			err = cause
		}
		c.fail(err)
		c.mu.Lock()
		c.failed = err
		waiting := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		for _, q := range waiting {
			q.finish(lost(true, err))
		}
		close(c.gone)
		_ = c.process.Wait() // it is gone, one way or another
		return
	}
}

func (c *conn) next() error {
	h, err := readHeader(c.in)
	if err != nil {
		return err
	}
	c.heard.Store(int64(time.Since(c.born)))
	if h.op == opPong && h.id == 0 && h.control == 0 && h.data == 0 {
		return nil
	}
	control := make([]byte, h.control)
	if _, err := io.ReadFull(c.in, control); err != nil {
		return err
	}
	c.mu.Lock()
	q := c.waiting[h.id]
	if h.op != opPart {
		delete(c.waiting, h.id)
	}
	c.mu.Unlock()
	if q == nil {
		return errProtocol
	}
	err = c.answer(h, q, decoder{b: control})
	if err != nil && h.op != opPart {
		q.finish(lost(true, err)) // it is no longer one of those waiting
	}
	return err
}

// answer hands an answer on, to whoever waits for it.
func (c *conn) answer(h header, q *call, in decoder) error {
	switch {
	case h.op == opPart && q.parts != nil:
		p := part{in: in, data: getBuffer(h.data)}
		if _, err := io.ReadFull(c.in, p.data.bytes()); err != nil {
			return err
		}
		select {
		case q.parts <- p:
			return nil
		default:
			return errProtocol // more than there is room for
		}
	case h.op == opDone && h.data <= len(q.into):
		if _, err := io.ReadFull(c.in, q.into[:h.data]); err != nil {
			return err
		}
		q.in, q.n = in, h.data
		q.finish(nil)
		return nil
	case h.op == opFailed && h.data == 0:
		err := in.error()
		if in.err() != nil || err == nil {
			return errProtocol
		}
		q.finish(err)
		return nil
	}
	return errProtocol
}

// stream is ask for an answer in parts. fn is called for each, in their order. When ctx or fn ends it, the agent is told.
func (c *conn) stream(ctx context.Context, op op, control []byte, fn func(in *decoder, data []byte) error) error {
	q := &call{parts: make(chan part, streamWindow), awaited: true}
	c.start(op, q, control)
	stop := context.AfterFunc(ctx, func() { c.steer(opCancel, q.id) })
	defer stop()
	var failed error
	for p := range q.parts {
		if failed == nil {
			failed = ctx.Err()
		}
		if failed == nil {
			if failed = fn(&p.in, p.data.bytes()); failed != nil {
				c.steer(opCancel, q.id)
			}
		}
		p.data.put()
		c.steer(opCredit, q.id)
	}
	<-q.done
	if failed != nil {
		return failed
	}
	if q.err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return q.err
}

// busy reports whether somebody waits for an answer.
func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.waiting {
		if q.awaited {
			return true
		}
	}
	return false
}

// reset makes the agent forget the session: what was open is closed, what was locked is free.
func (c *conn) reset(patience time.Duration) error {
	timer := time.AfterFunc(patience, func() { c.fail(errors.New("the agent doesn't end its session")) })
	defer timer.Stop()
	_, err := c.ask(opReset, nil, nil)
	return err
}
