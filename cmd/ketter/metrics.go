package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/metrics"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// newMetrics makes the figures that every process has.
func (s services) newMetrics(store *db.Store) *metrics.Metrics {
	m := metrics.New(version)
	m.Pool(func() metrics.Pool {
		stat := store.Pool().Stat()
		return metrics.Pool{
			Acquired: stat.AcquiredConns(), Idle: stat.IdleConns(), Most: stat.MaxConns(),
			Acquires: stat.AcquireCount(), Waits: stat.EmptyAcquireCount(), WaitSeconds: stat.EmptyAcquireWaitTime().Seconds(),
		}
	})
	return m
}

// listenForMetrics returns nil where none are to be served apart from the API.
func (s services) listenForMetrics() (net.Listener, error) {
	if s.config.MetricsListen == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", s.config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s: %w\n  hint: choose another address with KETTER_METRICS_LISTEN, one for each process of a host", s.config.MetricsListen, err)
	}
	return listener, nil
}

// onlyMetrics serves nothing but them.
func onlyMetrics(handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	return mux
}

// installation reads what metrics tell of it.
type installation struct {
	store *db.Store
	redis *broker.Broker
}

var _ metrics.Installation = installation{}

func (i installation) Database(ctx context.Context, named []string, most int) (found metrics.Database, err error) {
	jobs, err := i.store.LiveJobs(ctx)
	if err != nil {
		return found, err
	}
	for _, row := range jobs {
		found.Jobs = append(found.Jobs, metrics.Jobs{Status: string(row.Status), Strategy: row.Strategy, Count: row.Jobs})
	}
	queues, err := i.store.QueueDepths(ctx, db.QueueDepthsParams{Named: named, Most: int32(most)})
	if err != nil {
		return found, err
	}
	for _, row := range queues {
		found.Queues = append(found.Queues, metrics.Queue{Name: row.Queue, Jobs: row.Jobs, OldestSeconds: row.OldestSeconds})
	}
	runs, err := i.store.RunFigures(ctx)
	if err != nil {
		return found, err
	}
	found.SilentRuns, found.BytesPerSecond = runs.Silent, runs.BytesPerSecond
	found.SchemaFits, err = i.schemaFits(ctx)
	return found, err
}

func (i installation) schemaFits(ctx context.Context) (bool, error) {
	state, err := riverjobs.Schema(ctx, i.store)
	if err != nil {
		return false, err
	}
	err = state.Check()
	if errors.Is(err, riverjobs.ErrSchema) {
		return false, nil
	}
	return err == nil, err
}

func (i installation) EndedJobs(ctx context.Context) ([]metrics.Jobs, error) {
	rows, err := i.store.EndedJobs(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []metrics.Jobs
	for _, row := range rows {
		jobs = append(jobs, metrics.Jobs{Status: string(row.Status), Strategy: row.Strategy, Count: row.Jobs})
	}
	return jobs, nil
}

func (i installation) Workers(ctx context.Context) (queues [][]string, err error) {
	workers, err := i.redis.Workers(ctx)
	for _, worker := range workers {
		queues = append(queues, worker.Queues)
	}
	return queues, err
}
