package metrics

import (
	"context"
	"sync"
	"time"
)

const (
	fresh     = time.Second     // for which a reading is told again
	readIn    = 3 * time.Second // what the database may take; Prometheus itself waits for 10 s
	countLess = time.Minute     // between two counts of the history, at least
	countCost = 100             // and so many times what the last one took, so that it costs a hundredth at most
)

// Installation is what all processes share.
type Installation interface {
	// Database reads what is cheap. Of the queues at most so many are told, the named ones before others, and the rest under
	// the empty name.
	Database(ctx context.Context, named []string, most int) (Database, error)
	// EndedJobs counts the history, which takes longer the more of it there is.
	EndedJobs(ctx context.Context) ([]Jobs, error)
	// Workers are the queues that each living worker serves.
	Workers(ctx context.Context) (queues [][]string, err error)
}

// Database is what it tells of jobs and runs.
type Database struct {
	SchemaFits     bool // this binary
	Jobs           []Jobs
	Queues         []Queue
	SilentRuns     int64
	BytesPerSecond float64
}

// Jobs is how many there are of a status and strategy; the strategy is empty until it is decided.
type Jobs struct {
	Status, Strategy string
	Count            int64
}

// Queue is what waits in it.
type Queue struct {
	Name          string
	Jobs          int64
	OldestSeconds float64
}

// reading is what was found, and when.
type reading struct {
	at         time.Time
	took       time.Duration
	databaseUp bool
	redisUp    bool
	database   Database
	ended      []Jobs // nil: they could not be counted
	workers    [][]string
}

// reader reads the installation for whoever asks, one at a time.
type reader struct {
	installation Installation
	now          func() time.Time

	mu      sync.Mutex
	queues  *queues
	last    reading
	ended   []Jobs
	countAt time.Time // when to count the history again
}

// read returns a reading that is not older than fresh. It waits for seconds, whatever hangs.
func (r *reader) read() (reading, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.at.IsZero() || r.now().Sub(r.last.at) >= fresh {
		r.last = r.readNow()
	}
	return r.last, r.queues.labels()
}

func (r *reader) readNow() (found reading) {
	began := r.now()
	ctx, cancel := context.WithTimeout(context.Background(), readIn)
	defer cancel()
	var err error
	found.workers, err = r.installation.Workers(ctx)
	found.redisUp = err == nil
	for _, served := range found.workers { // these get a place before what anybody has submitted
		for _, queue := range served {
			r.queues.admit(queue)
		}
	}
	found.database, err = r.installation.Database(ctx, r.queues.names, MostQueues)
	if found.databaseUp = err == nil; found.databaseUp {
		for _, queue := range found.database.Queues {
			r.queues.admit(queue.Name)
		}
		found.ended = r.count(ctx)
	}
	found.at = r.now()
	found.took = found.at.Sub(began)
	return found
}

// count counts the history now and then, and returns the latest count.
func (r *reader) count(ctx context.Context) []Jobs {
	began := r.now()
	if began.Before(r.countAt) {
		return r.ended
	}
	var err error
	if r.ended, err = r.installation.EndedJobs(ctx); err != nil {
		r.ended = nil
	} else if r.ended == nil {
		r.ended = []Jobs{} // counted, and none
	}
	ended := r.now()
	r.countAt = ended.Add(max(countLess, countCost*ended.Sub(began)))
	return r.ended
}
