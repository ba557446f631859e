package agent

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// drop gives all processes up when a lock was lost: nothing may be written without it.
func (s *Storage) drop() {
	cause := context.Cause(s.ctx)
	if errors.Is(cause, errClosed) {
		return
	}
	for _, l := range s.lanes {
		l.mu.Lock()
		c := l.c
		l.mu.Unlock()
		if c != nil {
			c.fail(cause)
		}
	}
}

// lock is one that is held, or was asked for.
type lock struct {
	number uint32
	on     *conn // where the number is the folder's
	info   endpoint.Info
	held   bool
}

// relock asks a new first process for the locks that were held. The process that is lost may hold them still, for as long as
// an agent lives that hears nothing. A folder that has gone needs no lock.
func (s *Storage) relock(c *conn) error {
	s.mu.Lock()
	held := map[*dir]*lock{}
	for d, l := range s.locks {
		if l.held {
			held[d] = l
		}
	}
	s.mu.Unlock()
	deadline := time.Now().Add(s.pool.options.LockWait)
	for d, l := range held {
		number := c.numbers.Add(1)
		for {
			info, err := askLock(c, number, d.place)
			if errors.Is(err, syscall.EWOULDBLOCK) && time.Now().Before(deadline) && s.pause(s.pool.options.LockWait/50) == nil {
				continue
			}
			if is, _ := isLost(err); is {
				return err
			}
			if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && (info.Device != l.info.Device || info.Inode != l.info.Inode) {
				s.cancel(syscall.EWOULDBLOCK)
				return syscall.EWOULDBLOCK
			}
			break
		}
		s.mu.Lock()
		l.number, l.on = number, c
		s.mu.Unlock()
	}
	return nil
}

// watchLocks takes locks again as soon as their process is gone, whether anything is asked for or not.
func (s *Storage) watchLocks(c *conn) {
	select {
	case <-c.gone:
	case <-s.ctx.Done():
	}
	if s.failed() == nil && s.locked.Load() > 0 {
		_ = s.again(true, func() error { _, err := s.lanes[0].get(); return err }) // whoever asks next is told
	}
}

func askLock(c *conn, number uint32, p place) (endpoint.Info, error) {
	q := &encoder{}
	q.num(uint64(number))
	q.place(p)
	answer, err := c.ask(opLock, q.b, nil)
	if err != nil {
		return endpoint.Info{}, err
	}
	info := answer.in.info()
	return info, answer.in.err()
}
