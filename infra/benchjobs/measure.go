package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

type bench struct {
	options
	api      *client
	posted   int
	progress io.Writer
}

// post posts the next job.
func (b *bench) post(ctx context.Context, n int) (job, error) {
	destination := filepath.Join(b.dir, fmt.Sprintf("to-%d", n))
	return b.api.post(ctx, filepath.Join(b.dir, "source", "take"), destination, b.verify)
}

// oneAtATime measures how long a job waits when nothing else is to be done. The pauses vary, so as not to fall in step with
// anything that has a beat.
func (b *bench) oneAtATime(ctx context.Context, stdout io.Writer) error {
	var byDatabase, byClient, answered, finished []time.Duration
	for range b.single {
		if err := pause(ctx, b.pause/2+rand.N(b.pause)); err != nil {
			return err
		}
		sent := time.Now()
		posted, err := b.post(ctx, b.next())
		if err != nil {
			return err
		}
		answered = append(answered, time.Since(sent))
		ended, err := b.await(ctx, posted.ID)
		if err != nil {
			return err
		}
		started, err := ended.startedAt()
		if err != nil {
			return err
		}
		byDatabase = append(byDatabase, started.Sub(ended.CreatedAt))
		byClient = append(byClient, started.Sub(sent))
		finished = append(finished, ended.FinishedAt.Sub(sent))
	}
	fmt.Fprintf(stdout, "%d jobs, one at a time, milliseconds:\n\n| From | To | Median | p99 | Slowest |\n|---|---|---|---|---|\n", b.single)
	row(stdout, "created, by the database", "started", byDatabase)
	row(stdout, "before the POST, by the client's clock", "started", byClient)
	row(stdout, "before the POST", "its answer", answered)
	row(stdout, "before the POST", "finished", finished)
	return nil
}

func (b *bench) next() int {
	b.posted++
	return b.posted
}

// await returns a job with its events once it has ended.
func (b *bench) await(ctx context.Context, id int64) (job, error) {
	for {
		j, err := b.api.job(ctx, id)
		switch {
		case err != nil:
			return j, err
		case j.Status == "success":
			return b.api.detail(ctx, id)
		case j.FinishedAt != nil:
			return j, fmt.Errorf("job %d ended as %s", id, j.Status)
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return j, err
		}
	}
}

// allAtOnce measures how many jobs are done in a second when many are posted together.
func (b *bench) allAtOnce(ctx context.Context, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\n%d jobs at once, %d requests under way:\n\n| Round | Accepted per second | Done per second, from the first POST |\n|---|---|---|\n",
		b.jobs, b.atOnce)
	for round := range b.rounds {
		began := time.Now()
		ids, err := b.postAll(ctx)
		if err != nil {
			return err
		}
		accepted := time.Since(began)
		last, err := b.awaitAll(ctx, ids)
		if err != nil {
			return err
		}
		perSecond := func(d time.Duration) float64 { return float64(b.jobs) / d.Seconds() }
		fmt.Fprintf(stdout, "| %d | %.0f | %.0f |\n", round+1, perSecond(accepted), perSecond(last.Sub(began)))
	}
	return nil
}

func (b *bench) postAll(ctx context.Context) ([]int64, error) {
	ids := make([]int64, b.jobs)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.atOnce)
	for i := range ids {
		n := b.next()
		group.Go(func() error {
			posted, err := b.post(ctx, n)
			ids[i] = posted.ID
			return err
		})
	}
	return ids, group.Wait()
}

// awaitAll returns when the last one had finished, by the database. It asks seldom, not to be in the way.
func (b *bench) awaitAll(ctx context.Context, ids []int64) (last time.Time, err error) {
	for _, status := range []string{"pending", "running"} {
		for busy := true; busy; {
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return last, err
			}
			if busy, err = b.api.some(ctx, status); err != nil {
				return last, err
			}
		}
	}
	for _, id := range ids {
		j, err := b.await(ctx, id)
		if err != nil {
			return last, err
		}
		if j.FinishedAt.After(last) {
			last = *j.FinishedAt
		}
	}
	return last, nil
}

func row(w io.Writer, from, to string, all []time.Duration) {
	slices.Sort(all)
	at := func(share float64) float64 {
		return float64(all[min(len(all)-1, int(share*float64(len(all))))]) / float64(time.Millisecond)
	}
	fmt.Fprintf(w, "| %s | %s | %.1f | %.1f | %.1f |\n", from, to, at(0.5), at(0.99), at(1))
}
