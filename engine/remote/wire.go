package remote

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// wireBuffer is what is read from the network at once, and what waits to be written at most. Package ssh reads and writes
	// each packet of 32 KiB in three pieces, each of which would be a system call and wake the other side.
	wireBuffer = 256 << 10
	// lastWords is how long what was written before a Close may take to leave.
	lastWords = time.Second
)

// wire is a connection that remembers whether the network has failed it: what is wrong with a handshake otherwise was said
// by the host.
type wire struct {
	net.Conn
	in             *bufio.Reader
	failed, closed atomic.Bool
	closing        sync.Once
	writing        sync.WaitGroup

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	out     []byte // what is not yet on its way
	err     error  // of writing
}

func tcp(ctx context.Context, address string, limit time.Duration) (*wire, error) {
	dialer := net.Dialer{Timeout: limit,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, in: bufio.NewReaderSize(conn, wireBuffer)}
	w.changed = sync.NewCond(&w.mu)
	w.writing.Go(w.flush)
	return w, nil
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.in.Read(b)
	if w.note(err) {
		_ = w.Close() // writes are to fail from now on, too
	}
	return n, err
}

// Write takes b along with what else is to be written. That it could not be is told by a later one.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.out) > 0 && len(w.out)+len(b) > wireBuffer && w.err == nil {
		w.changed.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	w.out = append(w.out, b...)
	w.changed.Broadcast()
	return len(b), nil
}

// flush writes what has come together, until the wire is closed or fails.
func (w *wire) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var spare []byte
	for w.err == nil {
		if len(w.out) == 0 {
			if w.closed.Load() {
				w.err = net.ErrClosed
				break
			}
			w.changed.Wait()
			continue
		}
		batch := w.out
		w.out = spare[:0]
		w.changed.Broadcast()
		w.mu.Unlock()
		_, err := w.Conn.Write(batch)
		w.note(err)
		spare = batch
		w.mu.Lock()
		w.err = err
	}
	w.changed.Broadcast()
}

// Close is no failure, nor is what follows from it.
func (w *wire) Close() (err error) {
	w.closing.Do(func() {
		w.closed.Store(true)
		_ = w.SetWriteDeadline(time.Now().Add(lastWords))
		w.mu.Lock()
		w.changed.Broadcast()
		w.mu.Unlock()
		w.writing.Wait()
		err = w.Conn.Close()
	})
	return err
}

// note reports whether the network has failed.
func (w *wire) note(err error) bool {
	if err == nil || w.closed.Load() {
		return false
	}
	w.failed.Store(true)
	return true
}
