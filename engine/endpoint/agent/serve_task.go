package agent

import (
	"context"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// task is a request that is neither done at once nor one of a number.
type task struct {
	*request
	s       *server
	session *session
	ctx     context.Context
	cancel  context.CancelFunc
	credit  chan struct{}
}

// steer is for a request under way; one that was answered meanwhile needs it no more.
func (s *server) steer(r *request) error {
	s.mu.Lock()
	t := s.waiting[r.id]
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	if r.op == opCancel {
		t.cancel()
		return nil
	}
	select {
	case t.credit <- struct{}{}:
		return nil
	default:
		return errProtocol // more than was sent
	}
}

func (s *server) takeTask(r *request) error {
	t := &task{request: r, s: s, session: s.session, credit: make(chan struct{}, streamWindow)}
	s.mu.Lock()
	twice, many := s.waiting[r.id] != nil, len(s.waiting) >= maxWaiting
	if !twice && !many {
		s.waiting[r.id] = t
	}
	s.mu.Unlock()
	if twice {
		return errProtocol
	}
	if many {
		defer s.release(r)
		return s.answer(r, nil, syscall.EAGAIN)
	}
	for range streamWindow {
		t.credit <- struct{}{}
	}
	t.ctx, t.cancel = context.WithCancel(s.session.ctx)
	return t.session.begin(t.run)
}

func (t *task) run() {
	defer t.s.release(t.request)
	defer t.cancel()
	if t.hold() != nil {
		return // nobody waits for the answer
	}
	defer t.yield()
	out := &encoder{}
	err := t.do(out)
	t.session.mu.Lock()
	delete(t.session.waiting, t.id)
	t.session.mu.Unlock()
	if t.s.answer(t.request, out, err) != nil {
		t.s.hangUp()
	}
}

// hangUp ends the session: the client broke the protocol, or takes nothing in any more.
func (s *server) hangUp() {
	select {
	case s.broken <- struct{}{}:
	default:
	}
}

func (t *task) hold() error {
	select {
	case t.s.slots <- struct{}{}:
		return nil
	case <-t.session.ctx.Done():
		return t.session.ctx.Err()
	}
}

func (t *task) yield() { <-t.s.slots }

// part sends a frame of an answer that has several, once the client has room for it.
func (t *task) part(out *encoder, data ...[]byte) error {
	select {
	case <-t.credit:
	default:
		t.yield() // others may be what the client waits for
		defer func() { t.s.slots <- struct{}{} }()
		select {
		case <-t.credit:
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
	}
	return t.s.out.write(t.id, opPart, out.b, data...)
}

func (t *task) do(out *encoder) error {
	switch t.op {
	case opLocate:
		return t.locate(out)
	case opBelow:
		return t.below(out)
	case opLink, opPublish:
		return t.twoFolders(out)
	case opList, opListInfo:
		return t.list()
	case opWriteAll:
		return t.s.within(t.in, t.writeAll)
	case opReadAll:
		return t.s.within(t.in, t.readAll)
	case opDigests:
		return t.s.within(t.in, func(d endpoint.Dir) error { return t.digests(d, out) })
	}
	do, ok := folderOps[t.op]
	if !ok {
		return errProtocol
	}
	return t.s.within(t.in, func(d endpoint.Dir) error { return do(d, t.in, out) })
}

func (t *task) locate(out *encoder) error {
	path := t.in.text()
	if err := t.in.err(); err != nil {
		return err
	}
	place, err := t.session.locate(t.s.allowed, path)
	if err != nil {
		return err
	}
	defer place.Dir.Close()
	info, err := place.Dir.Info()
	if err != nil {
		return err
	}
	out.text(place.Path)
	out.texts(place.Missing)
	out.info(info)
	out.capabilities(place.Dir.Capabilities())
	return nil
}

func (t *task) below(out *encoder) error {
	path := t.in.text()
	if err := t.in.err(); err != nil {
		return err
	}
	out.flag(t.session.roots.Below(path))
	return nil
}

// twoFolders is for what moves a name from one to another.
func (t *task) twoFolders(out *encoder) error {
	return t.s.within(t.in, func(from endpoint.Dir) error {
		name := t.in.text()
		return t.s.within(t.in, func(to endpoint.Dir) error {
			newName := t.in.text()
			if err := t.in.err(); err != nil {
				return err
			}
			if t.op == opLink {
				return from.Link(name, to, newName)
			}
			inSteps, err := from.Publish(name, to, newName)
			out.flag(inSteps)
			return err
		})
	})
}
