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
	first := Check{ID: prepare, Deadline: preparing, Needs: []string{readyz}, After: []string{workersAlive}, Run: one(p.smoke.prepare)}
	for _, root := range p.target.Roots {
		first.After = append(first.After, key(writable, root))
	}
	last := Check{ID: "smoke.cleanup", Deadline: endingTime + patient, Always: true, Run: one(p.smoke.cleanUp)}
	checks := []Check{first}
	for _, t := range trials {
		checks = append(checks, Check{ID: t.id, Deadline: network, Needs: []string{prepare},
			Run: one(func(ctx context.Context) Finding { return p.smoke.try(ctx, t) })})
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
			return fail(fmt.Sprintf("Not run, because what the jobs transfer was not made within %s, in %s.", preparing, folder),
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
	job, err := s.run(ctx, t, queue)
	switch {
	case interrupted(ctx):
		return notDone()
	case ctx.Err() != nil:
		return s.late(job)
	case err != nil:
		return fail("FAILED: the job was not taken, or not to be seen: "+sentence(err), advice(err, "See the API's log."))
	case t.fails != "":
		return t.refused(job, s.checkUntouched())
	}
	return s.arrived(ctx, t, job)
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
		return warn(fmt.Sprintf("NOT DONE: job %d says success, but there was no time left to compare the trees in %s.", job.ID, s.path()),
			"The storage is slow, busy or gone: see the findings on it, then run the DKU again.")
	case err != nil:
		return fail(fmt.Sprintf("FAILED: job %d says success, but %v.", job.ID, err),
			"Do the worker and this host see the same storage? If so, stop transferring to it, and report this.")
	}
	return ok(fmt.Sprintf("DONE: job %d, %s by %s; %d files are the same as before.", job.ID, t.mode, t.strategy, len(smokeTree))).
		with(duration(job), "s")
}

// refused judges a job that must fail.
func (t trial) refused(job client.Job, err error) Finding {
	switch {
	case job.Error == nil || job.Error.Code != t.fails:
		return fail(fmt.Sprintf("FAILED: job %d had to fail with %s and is %s: %s", job.ID, t.fails, job.Status, said(job)), hint(job))
	case err != nil:
		return fail(fmt.Sprintf("FAILED: job %d was refused, but what was there before was altered: %v.", job.ID, err), "Stop using this version and report this.")
	}
	return ok(fmt.Sprintf("DONE: job %d was refused with %s, as it must be.", job.ID, t.fails)).with(duration(job), "s")
}

// late is the finding of a job that did not end in time.
func (s *smoke) late(job client.Job) Finding {
	if job.ID == 0 {
		return fail(fmt.Sprintf("FAILED: the API did not take the job within %s.", network), "See the API's log, and the findings on postgres.")
	}
	message := fmt.Sprintf("FAILED: job %d is %s after %s", job.ID, job.Status, network)
	workers, _ := s.probe.workersSeen()
	for _, w := range workers {
		if job.Status == transfer.Pending && w.Running > 0 {
			return warn(fmt.Sprintf("%s: worker %s is busy with %d jobs.", message, w.Name, w.Running), "Run the DKU again when there is less to do, or add workers.")
		}
	}
	return fail(message+".", "Does a worker serve the job's queue, and does it answer? See its log, and GET /jobs/"+fmt.Sprint(job.ID)+"/detail.")
}

// run posts the job and waits until it has ended.
func (s *smoke) run(ctx context.Context, t trial, queue string) (client.Job, error) {
	job, err := s.submit(ctx, client.Order{
		SourcePath: s.path("from", t.tree), DestinationPath: s.path("to"),
		Mode: t.mode, Strategy: t.strategy, Queue: queue, Priority: urgent, IdempotencyKey: scratchName(),
	})
	if err != nil {
		return job, err
	}
	job, err = s.await(ctx, job)
	s.note(job.ID, job.Status.Final())
	return job, err
}

// await returns the job as it was last seen.
func (s *smoke) await(ctx context.Context, job client.Job) (client.Job, error) {
	ticker := time.NewTicker(pollJob)
	defer ticker.Stop()
	for !job.Status.Final() {
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-ticker.C:
		}
		seen, err := s.probe.api.Job(ctx, job.ID)
		if err != nil {
			return job, err
		}
		job = seen.Job
	}
	return job, nil
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
