package engine

import (
	"cmp"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	// slow is from when on an operation waits for something farther away than a disk's cache.
	slow = 500 * time.Microsecond
	// manyInFlight is how many files are under way where each waits most of its time, and farInFlight where it waits for a
	// network all the time, unless the endpoint knows better.
	manyInFlight = 64
	farInFlight  = 256
)

// inFlight is how many files are worked on at once: as was asked for, else a few for each core, and many where the storage
// answers slowly.
func (e *Engine) inFlight(dirs ...endpoint.Dir) int {
	if !e.paced {
		return e.parallel
	}
	if far := inFlightFar(dirs); far > 0 {
		return max(e.parallel, far)
	}
	for _, dir := range dirs {
		if e.isSlow(dir) {
			return max(e.parallel, manyInFlight)
		}
	}
	return e.parallel
}

// inFlightFar is what suits those of dirs that are far away, 0 if none is.
func inFlightFar(dirs []endpoint.Dir) (files int) {
	for _, dir := range dirs {
		if c := dir.Capabilities(); c.Far {
			suits := cmp.Or(c.InFlight, farInFlight)
			files = min(cmp.Or(files, suits), suits)
		}
	}
	return files
}

// isSlow asks for names that don't exist, which no cache knows. That it takes long once may be the machine's fault.
func (e *Engine) isSlow(dir endpoint.Dir) bool {
	for _, name := range []string{".ketter-pace-1", ".ketter-pace-2"} {
		began := e.now()
		_, _ = dir.Lstat(name) // that it exists takes as long
		if e.now().Sub(began) <= slow {
			return false
		}
	}
	return true
}
