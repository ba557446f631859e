package dku

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
)

const (
	prepare    = "smoke.prepare"
	preparing  = 4 * time.Second
	pollJob    = 50 * time.Millisecond
	urgent     = 1 // the priority that goes first
	endingTime = 3 * time.Second
)

// smoke is the smoke test: real jobs through the API on a tree of its own, below a hidden folder of an allowed root.
type smoke struct {
	probe *Probe

	mu      sync.Mutex
	folders []string       // all that prepare has begun to make; the jobs use the last
	made    chan struct{}  // closed when nothing makes the last any more
	posted  []int64        // jobs that have not been seen to end
	unheard []client.Order // of jobs whose answer has not come
	moving  time.Time      // when a job that runs was last seen to go on
}

func newSmoke(p *Probe) *smoke { return &smoke{probe: p} }

// trial is one job.
type trial struct {
	id, tree string // its check, and the folder that it transfers
	mode     transfer.Mode
	strategy transfer.Strategy
	fails    failure.Code // what it must end with; empty: it must succeed
}

// trials have trees of their own, so that they may run at once.
var trials = []trial{
	{id: "smoke.copy_direct", tree: "direct", mode: transfer.Copy, strategy: transfer.Direct},
	{id: "smoke.copy_zip_first", tree: "zip first", mode: transfer.Copy, strategy: transfer.ZipFirst},
	{id: "smoke.move", tree: "move", mode: transfer.Move, strategy: transfer.Direct},
	{id: "smoke.destination_exists", tree: "exists", mode: transfer.Copy, strategy: transfer.Direct, fails: failure.DestinationExists},
}

func (p *Probe) smokeChecks() []Check {
	first := Check{ID: prepare, Deadline: preparing, Until: preparedUntil, Needs: []string{readyz}, After: []string{workersAlive}, Run: one(p.smoke.prepare)}
	for _, root := range p.target.Roots {
		first.After = append(first.After, key(writable, root))
	}
	last := Check{ID: "smoke.cleanup", Deadline: clearing, Until: jobsUntil + grace + clearing, Always: true, Run: one(p.smoke.cleanUp)}
	checks := []Check{first}
	for _, t := range trials {
		job := Check{ID: t.id, Deadline: network, Until: jobsUntil, Needs: []string{prepare},
			Run: one(func(ctx context.Context) Finding { return p.smoke.try(ctx, t) })}
		for _, root := range p.target.Roots {
			job.After = append(job.After, key(latency, root)) // which tells how long a job may take
		}
		checks = append(checks, job)
		last.After = append(last.After, t.id)
	}
	return append(checks, last)
}

// prepare makes what the jobs transfer. That workers are not known, as with Redis down, is no reason not to; that there are none is.
func (s *smoke) prepare(ctx context.Context) Finding {
	if workers, asked := s.probe.workersSeen(); !asked.IsZero() && len(workers) == 0 {
		return fail("Not run, because there is no worker.", startWorker)
	}
	if len(s.probe.target.Roots) == 0 {
		return fail("Not run, because no allowed root is known here.", "Set KETTER_ALLOWED_ROOTS as for the worker, or say --no-smoke.")
	}
	var errs []error
	for _, root := range s.probe.writableRoots() {
		folder := filepath.Join(root, scratchName())
		err := s.fill(ctx, folder)
		switch {
		case err == nil:
			return ok("Made what the jobs transfer, in "+folder+".").with(float64(len(smokeTree)), "files")
		case interrupted(ctx):
			return notDone()
		case ctx.Err() != nil:
			return fail(fmt.Sprintf("Not run, because what the jobs transfer was not made in time, in %s.", folder),
				"The storage is slow, busy or gone: see the findings on it. --no-smoke leaves the jobs out.")
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fail("Not run, because what the jobs transfer could not be made: "+err.Error(), "See the findings on storage.")
	}
	return fail("Not run, because no allowed root can be written to.", "See the findings on storage.")
}

// fill notes the folder before it makes it: what is half made is removed too, by cleanUp.
func (s *smoke) fill(ctx context.Context, folder string) error {
	made := make(chan struct{})
	s.mu.Lock()
	s.folders, s.made = append(s.folders, folder), made
	s.mu.Unlock()
	_, err := within(ctx, func() (struct{}, error) {
		defer close(made)
		return struct{}{}, makeTrees(ctx, folder)
	})
	return err
}

// path is one below the folder of the jobs.
func (s *smoke) path(names ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filepath.Join(append([]string{s.folders[len(s.folders)-1]}, names...)...)
}

func (s *smoke) try(ctx context.Context, t trial) Finding {
	queue, served := s.queue()
	if !served {
		return elsewhere()
	}
	patience := s.patience(ctx)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	job, err := s.run(waiting, t, queue)
	switch {
	case interrupted(ctx):
		return notDone()
	case waiting.Err() != nil:
		return s.late(job, patience)
	case err != nil:
		return fail("FAILED: the job was not taken, or not to be seen: "+sentence(err), advice(err, "See the API's log."))
	case t.fails != "":
		return s.refused(ctx, t, job.Job, s.checkUntouched(ctx))
	}
	return s.arrived(ctx, t, job.Job)
}

// arrived judges a job that must succeed.
func (s *smoke) arrived(ctx context.Context, t trial, job client.Job) Finding {
	switch {
	case job.Status != transfer.Success:
		return fail(fmt.Sprintf("FAILED: job %d is %s: %s", job.ID, job.Status, said(job)), hint(job))
	case job.Strategy == nil || *job.Strategy != t.strategy:
		return fail(fmt.Sprintf("FAILED: job %d was told to be %s and was not.", job.ID, t.strategy), "See GET /jobs/"+fmt.Sprint(job.ID)+"/detail.")
	}
	err := s.compare(ctx, t)
	switch {
	case err != nil && interrupted(ctx):
		return notDone()
	case errors.Is(err, context.DeadlineExceeded):
		return s.unseen(job)
	case err != nil:
		return fail(fmt.Sprintf("FAILED: job %d says success, but %v.", job.ID, err),
			"Do the worker and this host see the same storage? If so, stop transferring to it, and report this.")
	}
	return ok(fmt.Sprintf("DONE: job %d, %s by %s; %d files are the same as before.", job.ID, t.mode, t.strategy, len(smokeTree))).
		with(duration(job), "s")
}

// unseen is the finding of a job whose trees there was no time to look at.
func (s *smoke) unseen(job client.Job) Finding {
	return warn(fmt.Sprintf("NOT DONE: job %d is %s, but there was no time left to compare the trees in %s.", job.ID, job.Status, s.path()),
		"The storage is slow, busy or gone: see the findings on it, then run the DKU again.")
}

// refused judges a job that must fail; err is what was found of the trees.
func (s *smoke) refused(ctx context.Context, t trial, job client.Job, err error) Finding {
	switch {
	case job.Error == nil || job.Error.Code != t.fails:
		return fail(fmt.Sprintf("FAILED: job %d had to fail with %s and is %s: %s", job.ID, t.fails, job.Status, said(job)), hint(job))
	case err != nil && interrupted(ctx):
		return notDone()
	case errors.Is(err, context.DeadlineExceeded):
		return s.unseen(job)
	case err != nil:
		return fail(fmt.Sprintf("FAILED: job %d was refused, but what was there before was altered: %v.", job.ID, err), "Stop using this version and report this.")
	}
	return ok(fmt.Sprintf("DONE: job %d was refused with %s, as it must be.", job.ID, t.fails)).with(duration(job), "s")
}

// queue is one whose worker sees this host's storages, as far as that is known: a worker's of this host, else one of the
// environment's that a worker serves. Where the workers are not known, it is the environment's first; empty leaves it to the API.
func (s *smoke) queue() (queue string, served bool) {
	workers, asked := s.probe.workersSeen()
	if asked.IsZero() {
		return firstOf(s.probe.target.Queues), true
	}
	host, _ := os.Hostname() // an empty one is no worker's
	for _, w := range workers {
		if w.Host == host && host != "" && len(w.Queues) > 0 {
			return w.Queues[0], true
		}
	}
	for _, queue := range s.probe.target.Queues {
		if slices.ContainsFunc(workers, func(w broker.Worker) bool { return slices.Contains(w.Queues, queue) }) {
			return queue, true
		}
	}
	return "", false
}

func firstOf(queues []string) string {
	if len(queues) == 0 {
		return ""
	}
	return queues[0]
}

// elsewhere is the finding of a job that nobody could run who sees what this host does.
func elsewhere() Finding {
	return warn("NOT DONE: no worker of this host serves jobs, nor one elsewhere a queue of KETTER_QUEUES.",
		"Run the DKU on a worker's host, or set KETTER_QUEUES to a queue whose workers see the same storages.")
}
