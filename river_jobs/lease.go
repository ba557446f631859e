package riverjobs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// lease is a run's right to its job, as the worker that runs it sees it.
type lease struct {
	jobID    int64
	token    string
	progress func() transfer.Progress // nil: it is no run, but a sweep after one
	cancel   func()                   // a cancel was requested; may be called again and again
	lost     func()                   // the run has no right to go on, or soon won't have: it must stop at once

	safeUntil time.Duration // by the keeper's clock; its goroutine's alone once it is held
	isLost    bool          // the same goroutine's
}

// keeper renews the leases of all runs of a worker, every beat, in one statement. A lease that it can't renew it ends a beat
// before another worker may take the job: what I/O is under way then has that long to end.
type keeper struct {
	store  *db.Store
	lease  time.Duration
	beat   time.Duration
	clock  func() time.Duration
	meter  Meter
	logger zerolog.Logger

	mu   sync.Mutex
	held map[string]*lease // by token
}

func newKeeper(store *db.Store, leaseTime, beat time.Duration, meter Meter, logger zerolog.Logger) *keeper {
	return &keeper{store: store, lease: leaseTime, beat: beat, clock: sinceBoot, meter: meter, logger: logger, held: map[string]*lease{}}
}

// hold begins to renew a lease, which was taken in a transaction that began at asked, by the keeper's clock. The caller
// calls letGo when the run has ended.
func (k *keeper) hold(l *lease, asked time.Duration) (letGo func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.safeUntil = k.safeUntil(asked)
	k.held[l.token] = l
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.held, l.token)
	}
}

// safeUntil counts from before the statement that set the lease, for by the database's clock it was not set earlier.
func (k *keeper) safeUntil(asked time.Duration) time.Duration { return asked + k.lease - k.beat }

// running is how many runs hold a lease.
func (k *keeper) running() (n int) {
	for _, l := range k.all() {
		if l.progress != nil {
			n++
		}
	}
	return n
}

// jobs are those of which a run has not ended here yet.
func (k *keeper) jobs() []int64 {
	ids := []int64{}
	for _, l := range k.all() {
		ids = append(ids, l.jobID)
	}
	slices.Sort(ids)
	return ids
}

// holds reports whether a run of the job, or a sweep after it, has not ended here yet.
func (k *keeper) holds(jobID int64) bool {
	return slices.Contains(k.jobs(), jobID)
}

// run keeps leases until ctx ends.
func (k *keeper) run(ctx context.Context) {
	ticker := time.NewTicker(k.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			k.renewAll(ctx)
		case <-time.After(k.untilFirst()):
		}
		k.expire()
	}
}

// untilFirst is for how long, a beat at most, all leases are safe that aren't lost already: the run of a lost one may take
// long to end. One that is taken meanwhile is safe for longer than a beat.
func (k *keeper) untilFirst() time.Duration {
	wait, now := k.beat, k.clock()
	for _, l := range k.all() {
		if l.safeUntil > now {
			wait = min(wait, l.safeUntil-now)
		}
	}
	return wait
}

// renewAll waits for the database no longer than the first of the leases may, and no longer than a beat: a connection that has
// fallen silent must leave time for another one. Lost leases are renewed, too, as long as nobody else has the job: that
// keeps others out until the run has ended.
func (k *keeper) renewAll(ctx context.Context) {
	leases, asked := k.all(), k.clock()
	if len(leases) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.untilFirst())
	defer cancel()
	renewed, err := k.store.RenewRuns(ctx, renewal(leases, k.lease))
	if err != nil {
		if ctx.Err() != context.Canceled {
			k.meter.LeasesNotRenewed(len(leases))
			k.logger.Warn().Err(err).Int("runs", len(leases)).Msg("the leases could not be renewed; trying again")
		}
		return
	}
	for _, l := range leases {
		k.note(l, renewed, asked)
	}
}

// note takes notice of what the database said of a lease: it is renewed, or it is not ours any more, or its row was locked.
func (k *keeper) note(l *lease, renewed map[string]db.RenewRunsRow, asked time.Duration) {
	row, ours := renewed[l.token]
	if !ours {
		k.lose(l)
		return
	}
	if row.Renewed {
		k.meter.LeasesRenewed(1)
		l.safeUntil = k.safeUntil(asked)
	}
	if row.CancelRequested {
		l.cancel()
	}
}

// expire ends what could not be renewed in time.
func (k *keeper) expire() {
	now := k.clock()
	for _, l := range k.all() {
		if l.safeUntil <= now {
			k.lose(l)
		}
	}
}

// lose ends what a lease was for. It may be called again, until the run has ended.
func (k *keeper) lose(l *lease) {
	if !l.isLost {
		l.isLost = true
		k.meter.LeaseLost()
	}
	l.lost()
}

func (k *keeper) all() []*lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.held))
}

func renewal(leases []*lease, leaseTime time.Duration) db.RenewRunsParams {
	r := db.RenewRunsParams{Lease: leaseTime}
	for _, l := range leases {
		var p transfer.Progress
		if l.progress != nil {
			p = l.progress()
		}
		r.JobIds, r.RunTokens = append(r.JobIds, l.jobID), append(r.RunTokens, l.token)
		r.Phases = append(r.Phases, string(p.Phase))
		r.FilesDone, r.FilesTotal = append(r.FilesDone, p.FilesDone), append(r.FilesTotal, p.FilesTotal)
		r.BytesDone, r.BytesTotal = append(r.BytesDone, p.BytesDone), append(r.BytesTotal, p.BytesTotal)
		r.Rates, r.SecondsLeft = append(r.Rates, p.BytesPerSecond), append(r.SecondsLeft, p.Left.Seconds())
	}
	return r
}
