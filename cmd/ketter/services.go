package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/portal"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/metrics"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// heartbeatEvery is well below the heartbeat's TTL of 15 s.
const heartbeatEvery = 5 * time.Second

// services is what a process serves: the API, a worker, or both, on one database.
type services struct {
	config   config.Config
	logger   zerolog.Logger
	listener net.Listener // nil: no API
	works    bool
	metrics  *metrics.Metrics // run makes them
}

// run serves until ctx ends, then stops in order: no new requests, no new jobs, running jobs softly. ready is called once
// everything has started.
func (s services) run(ctx context.Context, ready func()) error {
	store, err := openStore(ctx, s.config)
	if err != nil {
		return err
	}
	defer store.Close()
	redis, err := s.openBroker()
	if err != nil {
		return err
	}
	defer redis.Close()
	portals, err := newPortals(s.config, store)
	if err != nil {
		return err
	}
	defer portals.Close()
	s.metrics = s.newMetrics(store)
	figures, err := s.listenForMetrics()
	if err != nil {
		return err
	}
	if figures != nil {
		defer figures.Close()
	}
	client, err := s.newClient(ctx, store, redis, portals)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	if s.listener != nil {
		// Before the worker starts: what fails here must not leave jobs running.
		hub := httpapi.NewHub()
		handler, err := s.newAPI(ctx, store, redis, client, portals, hub)
		if err != nil {
			return err
		}
		group.Go(func() error { return httpapi.Serve(ctx, s.listener, handler, s.logger) })
		group.Go(func() error {
			passWakes(redis.Subscribe(ctx), hub)
			return nil
		})
	}
	if figures != nil {
		handler := httpapi.OwnPagesOnly(onlyMetrics(s.metrics.Handler(s.logger)), s.config.APIHosts)
		s.logger.Info().Str("address", figures.Addr().String()).Msg("serving metrics")
		group.Go(func() error { return httpapi.Serve(ctx, figures, handler, s.logger) })
	}
	if s.works {
		group.Go(func() error {
			if err := client.Start(ctx); err != nil {
				if ctx.Err() != nil { // told to stop before it had begun
					return nil
				}
				return fmt.Errorf("starting the worker: %w", err)
			}
			<-client.Stopped()
			return nil
		})
		group.Go(func() error {
			redis.RunHeartbeat(ctx, heartbeatEvery, s.heartbeat(time.Now(), client.Running))
			return nil
		})
	}
	context.AfterFunc(ctx, func() {
		s.logger.Info().Dur("soft_stop_ms", s.config.SoftStop).
			Msg("stopping: running jobs may go on that long, then go back to the queue; a second signal ends the process at once")
	})
	ready()
	return group.Wait()
}

// openStore opens the database and refuses one whose schema is not this binary's.
func openStore(ctx context.Context, c config.Config) (*db.Store, error) {
	store, err := db.Open(ctx, c.DBURL, int32(10+2*c.Concurrency*len(c.Queues)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	state, err := riverjobs.Schema(ctx, store)
	if err == nil {
		err = state.Check()
	}
	if err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

func (s services) openBroker() (*broker.Broker, error) {
	if s.config.RedisURL == "" {
		return nil, errors.New("REDIS_URL is not set; heartbeats and live events need a Redis (jobs run without one that is down)")
	}
	return broker.Open(s.config.RedisURL, s.logger)
}

func (s services) newClient(ctx context.Context, store *db.Store, redis *broker.Broker, portals *portal.Portals) (*riverjobs.Client, error) {
	if !s.works {
		return riverjobs.NewClient(store, redis, s.logger)
	}
	installation, err := store.Installation(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the installation's id: %w", err)
	}
	engine, err := newEngine(s.config, portals)
	if err != nil {
		return nil, err
	}
	var client *riverjobs.Client
	meter := s.metrics.Worker(func() int { return client.Running() })
	client, err = riverjobs.NewWorker(store, redis, s.logger, riverjobs.WorkerOptions{
		Name: s.config.WorkerName, Installation: installation, Engine: engine, Queues: s.config.Queues,
		Concurrency: s.config.Concurrency, SoftStop: s.config.SoftStop, Lease: s.config.Lease, Beat: s.config.Beat,
		MaxTakeovers: s.config.MaxTakeovers, KeepJobs: s.config.KeepJobs, KeepEvents: s.config.KeepEvents, Meter: meter,
	})
	return client, err
}

func (s services) heartbeat(started time.Time, running func() int) func() broker.Worker {
	host, _ := os.Hostname() // an empty one is shown as such
	return func() broker.Worker {
		return broker.Worker{
			Name: s.config.WorkerName, Host: host, PID: os.Getpid(), Version: version,
			Queues: s.config.Queues, Running: running(), StartedAt: started,
		}
	}
}
