package agent

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	// spreadFrom is how much of a file is written through one process before others take a share.
	spreadFrom = 1 << 20
	// mostUnsure is how many bytes of a file may be sent and not acknowledged, per process.
	mostUnsure = window
)

// writer is a file to write. Writes, modes and times are not waited for: what failed meanwhile is told by
// whatever is called next, and by Sync and Close at last. What was sent is kept until it was acknowledged, so that it can be sent again to the process
// that follows a lost one.
//
// The home process takes what it is sent in its order. Others are sent nothing but data, and only while home was sent nothing
// else that isn't acknowledged; while they have any, home is sent nothing else. So whatever has an order keeps it.
type writer struct {
	f *file

	mu         sync.Mutex
	changed    *sync.Cond
	sent       []*piece // in their order
	unsure     int64    // bytes in sent
	total      int64    // bytes written
	position   int64    // of Write
	err        error    // the first; nothing is done any more
	recovering bool
	tries      int // to reach a process, since one was last heard
	clean      bool
	closed     bool
}

// piece is something that was sent, or is about to be.
type piece struct {
	op   op
	args []byte // after the file's number
	data *buffer
	on   *conn
	lost bool // on is no more, or has not the file
}

func (p *piece) isData() bool { return p.op == opWrite }

var _ endpoint.Writer = (*writer)(nil)

func (d *dir) Create(name string, mode uint32) (endpoint.Writer, error) {
	return d.write(name, opCreate, mode, false)
}

func (d *dir) Reopen(name string) (endpoint.Writer, error) {
	return d.write(name, opReopen, 0, true)
}

func (d *dir) write(name string, op op, mode uint32, again bool) (endpoint.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	w := &writer{}
	w.changed = sync.NewCond(&w.mu)
	err := d.s.again(again, func() error {
		home, c, err := d.s.pick(nil)
		if err != nil {
			return err
		}
		w.f = newFile(d, name, opReopen, home)
		return w.f.open(c, op, mode)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	at := w.position
	w.mu.Unlock()
	n, err := w.WriteAt(p, at)
	w.mu.Lock()
	w.position += int64(n)
	w.mu.Unlock()
	return n, err
}

// WriteAt returns once the bytes were sent.
func (w *writer) WriteAt(p []byte, offset int64) (done int, err error) {
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	for done < len(p) {
		n := min(len(p)-done, chunkSize)
		args := &encoder{}
		args.signed(offset + int64(done))
		if err := w.submit(&piece{op: opWrite, args: args.b}, p[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// order sends something else than data.
func (w *writer) order(op op, args *encoder) error {
	if len(args.b) > maxControl/2 {
		return syscall.E2BIG
	}
	return w.submit(&piece{op: op, args: args.b}, nil)
}

// submit sends a piece once that keeps the order.
func (w *writer) submit(p *piece, data []byte) error {
	w.mu.Lock()
	for w.err == nil && !w.closed && !w.mayGo(p, int64(len(data))) {
		w.changed.Wait()
	}
	if w.err != nil || w.closed {
		defer w.mu.Unlock()
		if w.err != nil {
			return w.err
		}
		return syscall.EBADF
	}
	spread := p.isData() && w.total >= spreadFrom && w.isPure()
	w.total += int64(len(data))
	w.clean = false
	p.data = getBuffer(len(data))
	copy(p.data.bytes(), data)
	w.unsure += int64(len(data))
	w.sent = append(w.sent, p)
	w.closed = p.op == opClose
	c, err := w.choose(spread)
	p.on = c
	w.mu.Unlock()
	if err != nil {
		w.acknowledge(p, err)
		return nil // it is told next, if another try doesn't help
	}
	w.send(p, c)
	return nil
}

// choose returns the process to send to. Where home has none, an error of a lost process has it looked for.
func (w *writer) choose(spread bool) (*conn, error) {
	if spread {
		if _, c, err := w.f.s.pick(w.f.home); err == nil && w.f.usable(c) {
			return c, nil
		}
	}
	if c := w.f.home.ready(); c != nil {
		return c, nil
	}
	return nil, lost(false, errors.New("its process is gone"))
}

// isPure reports whether there is nothing under way but data.
func (w *writer) isPure() bool {
	for _, p := range w.sent {
		if !p.isData() {
			return false
		}
	}
	return true
}

// mayGo says whether a piece may be sent now.
func (w *writer) mayGo(p *piece, size int64) bool {
	if w.recovering || w.unsure > 0 && w.unsure+size > mostUnsure*int64(len(w.f.s.lanes)) || len(w.sent) >= 1024 {
		return false
	}
	if p.isData() {
		return true
	}
	home := w.f.home.ready()
	for _, other := range w.sent {
		if other.on != home {
			return false
		}
	}
	return true
}

// send hands a piece to its process; its answer comes to acknowledge.
func (w *writer) send(p *piece, c *conn) {
	size := int64(p.data.size)
	if err := c.window.Acquire(c.ctx, size); err != nil {
		w.acknowledge(p, lost(false, err))
		return
	}
	c.load.Add(size)
	c.start(p.op, &call{awaited: true, then: func(q *call) {
		c.load.Add(-size)
		c.window.Release(size)
		w.acknowledge(p, q.err)
	}}, w.f.query(c, p.args), p.data.bytes())
}

// drained waits until everything that was sent is acknowledged, or something has failed.
func (w *writer) drained() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && (len(w.sent) > 0 || w.recovering) {
		w.changed.Wait()
	}
	return w.err
}

var _ endpoint.Settler = (*writer)(nil)

// Settle is endpoint.Settler's.
func (w *writer) Settle() error { return w.drained() }

func (w *writer) SetMode(mode uint32) error {
	args := &encoder{}
	args.num(uint64(mode))
	return w.order(opFileMode, args)
}

func (w *writer) SetModTime(t time.Time) error {
	args := &encoder{}
	args.time(t)
	return w.order(opFileTime, args)
}

// Sync is the only one after which Close has nothing to wait for.
func (w *writer) Sync() error {
	err := w.order(opFileSync, &encoder{})
	if err == nil {
		err = w.drained()
	}
	if err == nil {
		w.mu.Lock()
		w.clean = len(w.sent) == 0
		w.mu.Unlock()
	}
	return err
}

// Close fails if anything has failed.
func (w *writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	err, clean := w.err, w.clean
	w.closed = err != nil || clean
	w.mu.Unlock()
	if err == nil && !clean {
		if err = w.submit(&piece{op: opClose}, nil); err == nil {
			err = w.drained()
		}
	}
	w.f.close()
	return err
}
