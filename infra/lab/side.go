package lab

import "path"

// Side is a folder that jobs read from or write to, as they name it and as this process sees it.
type Side struct {
	Portal string // "": Path is one of the worker's host
	Path   string // inside the portal, if there is one
	Here   string // the same folder as a path of this process; "" if it doesn't see it
}

// at is something below the side.
func (s Side) at(names ...string) Side {
	s.Path = path.Join(append([]string{s.Path}, names...)...)
	if s.Here != "" {
		s.Here = path.Join(append([]string{s.Here}, names...)...)
	}
	return s
}

// String is as a person writes it.
func (s Side) String() string {
	if s.Portal != "" {
		return s.Portal + ":" + s.Path
	}
	return s.Path
}
