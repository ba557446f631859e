package riverjobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
)

// Publisher tells live listeners that a job has a new event. It must return at once, and what it can't deliver it drops:
// listeners read the events themselves from the database.
type Publisher interface {
	Publish(jobID, seq int64, kind string)
}

// Client submits, cancels and retries jobs and, made by NewWorker, works them.
type Client struct {
	store   *db.Store
	river   *river.Client[pgx.Tx]
	events  Publisher
	logger  zerolog.Logger
	worker  *transferWorker // nil: it only submits
	stopped chan struct{}
}

// fetchCooldown is how often workers look for jobs at most: pick-up within milliseconds, where River's default costs 100.
const fetchCooldown = 5 * time.Millisecond

// NewClient makes a client that submits jobs and never works any.
func NewClient(store *db.Store, events Publisher, logger zerolog.Logger) (*Client, error) {
	// Inserts wake workers at most once per cooldown and queue: River's default holds back the second of two for 100 ms.
	return newClient(store, events, logger, &river.Config{FetchCooldown: fetchCooldown})
}

// NewWorker makes a client that also works jobs, once started.
func NewWorker(store *db.Store, events Publisher, logger zerolog.Logger, options WorkerOptions) (*Client, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if options.Meter == nil {
		options.Meter = unmetered{}
	}
	logger = logger.With().Str("worker", options.Name).Logger()
	workers := river.NewWorkers()
	config := &river.Config{
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{},
		FetchCooldown:     fetchCooldown,
		FetchPollInterval: 50 * time.Millisecond,
		JobTimeout:        -1, // a healthy job may take hours; liveness is the lease's affair
		// With no timeout River rescues nothing that runs; this only clears orphans that were cancelled.
		RescueStuckJobsAfter: 30 * time.Second,
		SoftStopTimeout:      options.SoftStop,
	}
	for _, queue := range options.Queues {
		config.Queues[queue] = river.QueueConfig{MaxWorkers: options.Concurrency}
	}
	client, err := newClient(store, events, logger, config)
	if err != nil {
		return nil, err
	}
	client.worker = &transferWorker{client: client, WorkerOptions: options,
		keeper: newKeeper(store, options.Lease, options.Beat, options.Meter, logger)}
	client.worker.working, client.worker.interrupt = context.WithCancel(context.Background())
	river.AddWorker(workers, client.worker)
	return client, nil
}

func newClient(store *db.Store, events Publisher, logger zerolog.Logger, config *river.Config) (*Client, error) {
	// River's info lines are about itself; what operators need to know of a job, Ketter logs.
	config.Logger = slog.New(riverLog{zerolog.NewSlogHandler(logger.Level(max(logger.GetLevel(), zerolog.WarnLevel)))})
	riverClient, err := river.NewClient(riverpgxv5.New(store.Pool()), config)
	if err != nil {
		return nil, fmt.Errorf("making the River client: %w", err)
	}
	return &Client{store: store, river: riverClient, events: events, logger: logger, stopped: make(chan struct{})}, nil
}

// Start works jobs until ctx ends, then stops softly: see Stopped.
func (c *Client) Start(ctx context.Context) error {
	if err := c.river.Start(ctx); err != nil {
		return err
	}
	w := c.worker
	var chores, keeping sync.WaitGroup
	for name, chore := range w.chores() {
		chores.Go(func() { chore.run(ctx, c.logger.With().Str("chore", name).Logger()) })
	}
	// Leases are kept until the last run has ended, which is after ctx.
	keeper, endKeeping := context.WithCancel(context.WithoutCancel(ctx))
	keeping.Go(func() { w.keeper.run(keeper) })
	interrupting := context.AfterFunc(ctx, func() { time.AfterFunc(w.SoftStop, w.interrupt) })
	go func() {
		c.awaitRuns()
		interrupting()
		w.interrupt()
		endKeeping()
		keeping.Wait()
		waitFor(&chores, choreTime)
		close(c.stopped)
	}()
	return nil
}

// awaitRuns waits until River has stopped. It tells of runs that don't end although they should: their storage hangs.
func (c *Client) awaitRuns() {
	ticker := time.NewTicker(c.worker.Lease)
	defer ticker.Stop()
	for {
		select {
		case <-c.river.Stopped():
			return
		case <-ticker.C:
		}
		if c.worker.working.Err() != nil {
			c.logger.Warn().Ints64("job_ids", c.worker.keeper.jobs()).
				Msg("these jobs have been told to stop and wait for their storage; a second signal ends the process at once")
		}
	}
}

// waitFor waits no longer than it makes sense: a storage that hangs may hold a sweep for ever.
func waitFor(group *sync.WaitGroup, most time.Duration) {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(most):
	}
}

// Stopped is closed when every job has ended or was given back to the queue, after Start's context has ended.
func (c *Client) Stopped() <-chan struct{} { return c.stopped }

// Running is how many jobs the worker runs at this moment.
func (c *Client) Running() int { return c.worker.keeper.running() }
