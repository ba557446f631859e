package engine

import (
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	// slow is from when on an operation waits for something farther away than a disk's cache.
	slow = 500 * time.Microsecond
	// manyInFlight is how many files are under way where each waits most of its time.
	manyInFlight = 64
)

// inFlight is how many files are worked on at once: as was asked for, else a few for each core, and many where the storage
// answers slowly.
func (e *Engine) inFlight(dirs ...endpoint.Dir) int {
	if !e.paced {
		return e.parallel
	}
	for _, dir := range dirs {
		if e.latency(dir) > slow {
			return max(e.parallel, manyInFlight)
		}
	}
	return e.parallel
}

// latency is how long the storage takes to say that a name doesn't exist, the best of a few tries: what else the machine
// does can only add to it.
func (e *Engine) latency(dir endpoint.Dir) time.Duration {
	best := time.Duration(-1)
	for _, name := range []string{".ketter-pace-1", ".ketter-pace-2", ".ketter-pace-3"} {
		began := e.now()
		_, _ = dir.Lstat(name) // that it exists takes as long
		if took := e.now().Sub(began); best < 0 || took < best {
			best = took
		}
	}
	return best
}
