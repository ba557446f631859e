package dku

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

const (
	// smallFilesOfJob is how many small files, one after the other, take as long as a job of the smoke test at most.
	smallFilesOfJob = 100
	// stillAfter is how long a job may tell nothing new before it is taken to hang: a worker tells its progress every two seconds.
	stillAfter = 6 * time.Second
	// smallFilesOfTrees is what looking at the trees takes, which comes after the job, and removing them.
	smallFilesOfTrees = 10
)

// patience is how long a job is waited for: longer where small files take long, for that is what a job of small files does.
func (s *smoke) patience(ctx context.Context) time.Duration {
	each := s.probe.latencyOf(filepath.Dir(s.path()))
	wanted := max(network, smallFilesOfJob*each)
	if deadline, bounded := ctx.Deadline(); bounded {
		wanted = min(wanted, max(quick, time.Until(deadline)-smallFilesOfTrees*each))
	}
	return wanted
}

// sight is a job as it was last seen, and since when it has told nothing new.
type sight struct {
	client.Job
	Progress *client.Progress
	since    time.Time
}

// step is how far a run says it is.
type step struct {
	phase        string
	files, bytes int64
}

// after is what is seen now, compared with what was seen before.
func (now sight) after(before sight, at time.Time) sight {
	now.since = at
	if now.Status == before.Status && now.far() == before.far() {
		now.since = before.since
	}
	return now
}

func (now sight) far() (s step) {
	if p := now.Progress; p != nil {
		s.files, s.bytes = p.FilesDone, p.BytesDone
		if p.Phase != nil {
			s.phase = *p.Phase
		}
	}
	return s
}

// run posts the job and waits until it has ended.
func (s *smoke) run(ctx context.Context, t trial, queue string) (sight, error) {
	job, err := s.submit(ctx, client.Order{
		SourcePath: s.path("from", t.tree), DestinationPath: s.path("to"),
		Mode: t.mode, Strategy: t.strategy, Queue: queue, Priority: urgent, IdempotencyKey: scratchName(),
	})
	if err != nil {
		return sight{Job: job}, err
	}
	seen, err := s.await(ctx, job.ID)
	s.note(job.ID, seen.Status.Final())
	return seen, err
}

// await returns the job as it was last seen.
func (s *smoke) await(ctx context.Context, id int64) (sight, error) {
	ticker := time.NewTicker(pollJob)
	defer ticker.Stop()
	last := sight{Job: client.Job{ID: id, Status: transfer.Pending}, since: time.Now()}
	for {
		seen, err := s.probe.api.Job(ctx, id)
		if err != nil {
			return last, err
		}
		if last = (sight{Job: seen.Job, Progress: seen.Progress}).after(last, time.Now()); last.Status.Final() {
			return last, nil
		}
		s.noteMoving(last)
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-ticker.C:
		}
	}
}

func (s *smoke) noteMoving(job sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if job.Status == transfer.Running && job.since.After(s.moving) {
		s.moving = job.since
	}
}

// moves says whether one of the jobs goes on.
func (s *smoke) moves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.moving) < stillAfter
}

// late is the finding of a job that did not end in time.
func (s *smoke) late(job sight, waited time.Duration) Finding {
	waited = waited.Round(time.Second)
	if job.ID == 0 {
		return fail(fmt.Sprintf("FAILED: the API did not take the job within %s.", waited), "See the API's log, and the findings on postgres.")
	}
	message := fmt.Sprintf("job %d is %s after %s", job.ID, job.Status, waited)
	if job.Status == transfer.Running && time.Since(job.since) < stillAfter {
		return warn("NOT DONE: "+message+", for it is slow: its progress moves.",
			"The storage is slow or busy: see storage.latency. Nothing else is known to be wrong; --no-smoke leaves the jobs out.")
	}
	if job.Status == transfer.Pending && s.moves() {
		return warn("NOT DONE: "+message+", behind others of these jobs, which are slow: their progress moves.",
			"The storage is slow or busy: see storage.latency. Nothing else is known to be wrong; --no-smoke leaves the jobs out.")
	}
	workers, _ := s.probe.workersSeen()
	for _, w := range workers {
		if job.Status == transfer.Pending && w.Running > 0 {
			return warn(fmt.Sprintf("NOT DONE: %s: worker %s is busy with %d jobs.", message, w.Name, w.Running), "Run the DKU again when there is less to do, or add workers.")
		}
	}
	return fail("FAILED: "+message+".", "Does a worker serve the job's queue, and does it answer? See its log, and GET /jobs/"+fmt.Sprint(job.ID)+"/detail.")
}
