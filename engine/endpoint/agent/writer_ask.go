package agent

import (
	"errors"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// SetXattrs waits: which attributes a storage takes is only known once it was asked.
func (w *writer) SetXattrs(attributes []endpoint.Xattr) error {
	if len(attributes) == 0 {
		return nil
	}
	args := &encoder{}
	args.xattrs(attributes)
	if len(args.b) > maxControl/2 {
		return syscall.E2BIG
	}
	_, err := w.alone(opFileSetXattrs, true, func(*conn) (*encoder, error) { return args, nil })
	return err
}

// alone asks for something once all that came before is done, and waits. Unless it may be asked again, a process lost
// meanwhile is the end of the Writer: it may still be carried out, after whatever would follow.
func (w *writer) alone(op op, again bool, args func(c *conn) (*encoder, error)) (*decoder, error) {
	if err := w.drained(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.clean = false
	w.mu.Unlock()
	var answer *call
	err := w.f.s.again(again, func() error {
		c, err := w.f.home.get()
		if err != nil {
			return err
		}
		q, err := args(c)
		if err != nil {
			return err
		}
		answer, err = c.ask(op, w.f.query(c, q.b), nil)
		return opened(err)
	})
	if is, _ := isLost(err); is {
		w.mu.Lock()
		w.err = err // who knows what it is now
		w.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	return &answer.in, nil
}

// sized is alone for a size, and not told but by its error.
func (w *writer) sized(op op, size int64) error {
	_, err := w.alone(op, false, func(*conn) (*encoder, error) {
		q := &encoder{}
		q.signed(size)
		return q, nil
	})
	return err
}

func (w *writer) Preallocate(size int64) error { return w.sized(opPreallocate, size) }
func (w *writer) Truncate(size int64) error    { return w.sized(opTruncate, size) }

// CopyFrom has the far host copy, where both files are of this Storage.
func (w *writer) CopyFrom(at int64, src endpoint.Reader, from, limit int64) (int64, error) {
	in, err := w.from(opCopy, src, at, from, limit)
	if err != nil {
		return 0, err
	}
	n := in.signed()
	if in.err() != nil || n < 0 || n > limit {
		return 0, errProtocol
	}
	return n, nil
}

// Clone has the far host share the blocks, where both files are of this Storage.
func (w *writer) Clone(src endpoint.Reader) error {
	_, err := w.from(opClone, src, 0, 0, 0)
	return err
}

func (w *writer) from(op op, src endpoint.Reader, at, from, limit int64) (*decoder, error) {
	r, ok := endpoint.Unwrap(src).(*reader)
	if !ok || r.f.s != w.f.s {
		return nil, errors.ErrUnsupported
	}
	return w.alone(op, false, func(c *conn) (*encoder, error) {
		number, err := r.f.openOn(c)
		q := &encoder{}
		q.num(uint64(number))
		q.signed(at)
		q.signed(from)
		q.signed(limit)
		return q, err
	})
}
