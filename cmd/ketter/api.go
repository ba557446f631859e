package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/portal"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/broker"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// newAPI wires the API: what it reads, what it submits to, what wakes its live streams, and what it needs to be ready.
func (s services) newAPI(ctx context.Context, store *db.Store, redis *broker.Broker, client *riverjobs.Client,
	portals *portal.Portals, hub *httpapi.Hub) (http.Handler, error) {
	access, err := s.newAccess()
	if err != nil {
		return nil, err
	}
	credentials, err := newCredentials(s.config)
	if err != nil {
		return nil, err
	}
	planning, err := newEngine(s.config, portals)
	if err != nil {
		return nil, err
	}
	ui, err := client.NewUI("/riverui")
	if err != nil {
		return nil, fmt.Errorf("making River UI: %w", err)
	}
	if err := ui.Start(ctx); err != nil {
		return nil, fmt.Errorf("starting River UI: %w", err)
	}
	s.metrics.Installation(installation{store, redis}, s.config.Queues)
	return httpapi.New(httpapi.Options{
		Access:    access,
		Submitter: client, Operator: client, Jobs: store, Portals: store, Credentials: credentials,
		PortalTester: portalTester{portals}, Planner: jobPlanner{client, planning}, Estimator: store,
		Streams:      httpapi.Streams{Hub: hub, Stopping: ctx},
		AllowedRoots: s.config.AllowedRoots, Metrics: s.metrics.Handler(s.logger), Meter: s.metrics.Requests(), RiverUI: ui, Version: version, Logger: s.logger,
		Ready: []httpapi.Check{
			{Name: "postgres", Required: true, Check: store.Ping},
			{Name: "schema", Required: true, Check: func(ctx context.Context) error {
				state, err := riverjobs.Schema(ctx, store)
				if err != nil {
					return err
				}
				return state.Check()
			}},
			{Name: "redis", Check: redis.Ping},
			{Name: "workers", Check: func(ctx context.Context) error { return someWorker(ctx, redis) }},
		},
	}), nil
}

// passWakes tells the live streams of what Redis brings, until the broker has nothing more.
func passWakes(wakes <-chan broker.Wake, hub *httpapi.Hub) {
	for wake := range wakes {
		hub.Wake(wake.JobID) // 0, of the zero Wake, is all
	}
}

// someWorker fails when no worker's heartbeat is fresh: jobs are accepted then, and wait.
func someWorker(ctx context.Context, redis *broker.Broker) error {
	workers, err := redis.Workers(ctx)
	if err == nil && len(workers) == 0 {
		err = fmt.Errorf("no worker has a fresh heartbeat")
	}
	return err
}
