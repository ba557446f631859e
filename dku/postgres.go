package dku

import (
	"context"
	"fmt"
	"slices"
	"time"

	riverjobs "github.com/ketter/ketter/river_jobs"
)

const (
	reachable     = "postgres.reachable"
	oldestServer  = 130000 // gen_random_uuid() is built in since PostgreSQL 13
	leaderAsk     = 100 * time.Millisecond
	latencyRounds = 8
)

func (p *Probe) postgresChecks() []Check {
	asks := []string{reachable}
	return []Check{
		{ID: reachable, Deadline: patient, Run: one(p.postgresReachable)},
		{ID: "postgres.version", Deadline: quick, Needs: asks, Run: one(p.postgresVersion)},
		{ID: "postgres.migrations_river", Deadline: quick, Needs: asks, Run: one(p.riverMigrations)},
		{ID: "postgres.migrations_ketter", Deadline: quick, Needs: asks, Run: one(p.ketterMigrations)},
		{ID: "postgres.latency", Deadline: quick, Needs: asks, Run: one(p.postgresLatency)},
		{ID: "postgres.connections", Deadline: quick, Needs: asks, Run: one(p.postgresConnections)},
		{ID: "postgres.leader", Deadline: patient, Needs: []string{reachable, "postgres.migrations_river"}, Run: one(p.riverLeader)},
	}
}

func (p *Probe) postgresReachable(ctx context.Context) Finding {
	if p.storeErr != nil {
		return fail(sentence(p.storeErr), "Set DB_URL to that of `ketter serve` and `ketter worker`, or run the DKU in the folder of `ketter up`.")
	}
	began := time.Now()
	if err := p.store.Ping(ctx); err != nil {
		return fail("The database does not answer: "+err.Error(),
			"Is PostgreSQL running, is its host up, does DB_URL name it? Jobs wait until it is back; nothing is lost.")
	}
	return ok("The database answers.").with(milliseconds(time.Since(began)), "ms")
}

func (p *Probe) postgresVersion(ctx context.Context) Finding {
	server, err := p.store.Server(ctx)
	if err != nil {
		return notTold(err)
	}
	message, major := "PostgreSQL "+server.Version, float64(server.VersionNumber/10000)
	if server.VersionNumber < oldestServer {
		return fail(message+" is too old.", "Upgrade it to PostgreSQL 13 or newer.").with(major, "major version")
	}
	return ok(message+".").with(major, "major version")
}

func (p *Probe) riverMigrations(ctx context.Context) Finding {
	state, err := riverjobs.Schema(ctx, p.store)
	if err != nil {
		return notTold(err)
	}
	return migrations("River's", state.River, state.RiverKnown)
}

func (p *Probe) ketterMigrations(ctx context.Context) Finding {
	state, err := riverjobs.Schema(ctx, p.store)
	if err != nil {
		return notTold(err)
	}
	return migrations("Ketter's", state.Applied, state.AppliedKnown)
}

func migrations[V comparable](whose string, applied, known []V) Finding {
	message := fmt.Sprintf("%s migrations: %d of %d are in the database", whose, len(applied), len(known))
	newer := func(v V) bool { return !slices.Contains(known, v) }
	missing := func(v V) bool { return !slices.Contains(applied, v) }
	switch {
	case slices.ContainsFunc(applied, newer):
		return fail(message+", and some that this ketter does not know: a newer one made them.",
			"Install that version of Ketter on this host too.").with(float64(len(applied)), "migrations")
	case slices.ContainsFunc(known, missing):
		return fail(message+"; the others are missing.", "Run `ketter migrate up`. Services refuse to start before.").
			with(float64(len(applied)), "migrations")
	}
	return ok(message+".").with(float64(len(applied)), "migrations")
}

// postgresLatency is the shortest of a few, for it is about how far away the database is: the other checks run beside it.
func (p *Probe) postgresLatency(ctx context.Context) Finding {
	took, err := times(latencyRounds, func() error { _, err := p.store.Clock(ctx); return err })
	if err != nil {
		return notTold(err)
	}
	return limits{warn: 20, fail: 500}.above(milliseconds(took[0]), "ms", "The shortest time of a question to the database.",
		"Put the database nearer to the workers, or see what keeps it busy: pg_stat_activity.")
}

func (p *Probe) postgresConnections(ctx context.Context) Finding {
	server, err := p.store.Server(ctx)
	if err != nil {
		return notTold(err)
	}
	free := float64(server.Connections - server.Connected)
	return limits{warn: max(10, float64(server.Connections)/10), fail: 3}.below(free, "connections",
		fmt.Sprintf("%d of %d connections are in use.", server.Connected, server.Connections),
		"Raise max_connections of PostgreSQL, or end clients that don't need theirs: pg_stat_activity lists them.")
}

// riverLeader asks again for a while: after a leader has gone, the next is elected within seconds.
func (p *Probe) riverLeader(ctx context.Context) Finding {
	ticker := time.NewTicker(leaderAsk)
	defer ticker.Stop()
	for {
		leader, err := riverjobs.Leader(ctx, p.store)
		if err != nil && ctx.Err() == nil {
			return notTold(err)
		}
		if leader != "" {
			return ok("River's leader is "+leader+".").with(1, "leaders")
		}
		select {
		case <-ctx.Done():
			return fail("River has no leader: jobs that wait to be tried again are not woken.",
				"Start a worker (`ketter worker`, `ketter up`). If one runs: see its log, and whether it reaches the database.").with(0, "leaders")
		case <-ticker.C:
		}
	}
}
