package engine

import (
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	// slow is from when on an operation waits for something farther away than a disk's cache.
	slow = 500 * time.Microsecond
	// manyInFlight is how many files are under way where each waits most of its time, and farInFlight where it waits for a
	// network all the time.
	manyInFlight = 64
	farInFlight  = 256
)

// inFlight is how many files are worked on at once: as was asked for, else a few for each core, and many where the storage
// answers slowly.
func (e *Engine) inFlight(dirs ...endpoint.Dir) int {
	if !e.paced {
		return e.parallel
	}
	for _, dir := range dirs {
		if dir.Capabilities().Far {
			return max(e.parallel, farInFlight)
		}
	}
	for _, dir := range dirs {
		if e.isSlow(dir) {
			return max(e.parallel, manyInFlight)
		}
	}
	return e.parallel
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
