package agent

import (
	"errors"
	"slices"
	"syscall"
)

// acknowledge is told how a piece fared.
func (w *writer) acknowledge(p *piece, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changed.Broadcast()
	var unopened *errUnopened
	again, _ := isLost(err)
	if errors.As(err, &unopened) {
		again = w.f.elsewhere(p.on)
		err = reopened(unopened.err)
	}
	if again && w.err == nil {
		p.lost = true
		if !w.recovering {
			w.recovering = true
			if !w.f.s.background(w.recover) {
				w.recovering, w.err = false, w.f.s.failed()
			}
		}
		return
	}
	for i := range w.sent {
		if w.sent[i] == p {
			w.sent = append(w.sent[:i], w.sent[i+1:]...)
			break
		}
	}
	w.unsure -= int64(p.data.size)
	if err == nil {
		w.tries = 0
		p.data.put()
	} else if w.err == nil {
		w.err = err
	}
}

// reopened is why a file that was lost could not be gone on with. That it isn't there any more is for good; whatever else
// (a mode that keeps its own user from writing to it) a new run may overcome.
func reopened(err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	return lost(true, err)
}

// recover sends again what was lost, to the process at home or the one that follows it.
func (w *writer) recover() {
	for {
		w.settle()
		err := w.pause()
		var c *conn
		if err == nil {
			c, err = w.f.home.get()
		}
		if err == nil {
			for _, p := range w.takeLost(c) {
				w.send(p, c)
			}
		}
		if w.recovered(err) {
			return
		}
	}
}

// settle waits until the lost processes have told of all that was lost with them.
func (w *writer) settle() {
	w.mu.Lock()
	var gone []*conn
	for _, p := range w.sent {
		if p.lost && p.on != nil && p.on.dead() {
			gone = append(gone, p.on)
		}
	}
	w.mu.Unlock()
	for _, c := range gone {
		<-c.gone
	}
}

// pause waits before another try.
func (w *writer) pause() error {
	w.mu.Lock()
	tries := w.tries
	w.tries++
	w.mu.Unlock()
	delays := w.f.s.pool.options.Delays
	switch {
	case tries == 0:
		return nil
	case tries > len(delays):
		return errTries
	}
	return w.f.s.pause(delays[tries-1])
}

var errTries = lost(true, errors.New("it was lost again and again"))

func (w *writer) takeLost(c *conn) []*piece {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*piece
	for _, p := range w.sent {
		if p.lost {
			p.lost, p.on = false, c
			all = append(all, p)
		}
	}
	return all
}

// recovered reports whether there is nothing left to be sent again, or no use in it.
func (w *writer) recovered(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changed.Broadcast()
	if failed := w.f.s.failed(); failed != nil {
		err = failed
	} else if isUnreachable(err) && err != errTries {
		return false
	}
	if err != nil && w.err == nil {
		w.err = err
	}
	left := slices.ContainsFunc(w.sent, func(p *piece) bool { return p.lost })
	w.recovering = left && w.err == nil
	return !w.recovering
}
