package agent

import (
	"github.com/ketter/ketter/engine/endpoint"
)

// place is how a folder is named on the wire.
type place struct{ base, names string }

func (p place) below(name string) place {
	if p.names == "" {
		return place{p.base, name}
	}
	return place{p.base, p.names + "/" + name}
}

func (e *encoder) place(p place) {
	e.text(p.base)
	e.text(p.names)
}

// fresh is what is known of a folder that was just made.
type fresh struct {
	device       uint64
	capabilities *endpoint.Capabilities // nil for those of its parent
}

// remember keeps what making a folder has told, for the OpenDir that mostly comes next.
func (s *Storage) remember(p place, f fresh) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fresh) < 1024 {
		s.fresh[p] = f
	}
}

func (s *Storage) recall(p place) (fresh, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.fresh[p]
	delete(s.fresh, p)
	return f, ok
}

// moved forgets it all: names have changed.
func (s *Storage) moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.fresh)
}
