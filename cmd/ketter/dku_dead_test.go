package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/dku"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// blackHole is an address that takes connections and never says a word.
func blackHole(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var taken []net.Conn
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			taken = append(taken, conn)
		}
		for _, conn := range taken {
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepting.Wait()
	})
	return listener.Addr().String()
}

func TestDKUWithPostgresDown(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"refuses": closed(t), "is silent": blackHole(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const needle = "n33dle-of-postgres"
			_, dbURL := testdb.New(t)
			redisURL := "redis://" + miniredisThatAges(t).Addr()
			w := wardOf(t, setup(t, dbURL, redisURL), "postgres://ketter:"+needle+"@"+address+"/ketter?sslmode=disable", redisURL)
			w.target.NoSmoke = true
			found := w.fails("postgres.reachable")
			if found["postgres.latency"].Verdict != dku.Warn || found["workers.runs"].Verdict != dku.Warn {
				t.Errorf("%+v", found)
			}
			for _, f := range found {
				if strings.Contains(f.Message+f.Advice, needle) {
					t.Errorf("the password shows: %+v", f)
				}
			}
		})
	}
}

// Jobs run without Redis, so the smoke test does too.
func TestDKUWithRedisDown(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"refuses": closed(t), "is silent": blackHole(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dbURL := testdb.New(t)
			redisURL := "redis://:n33dle@" + address
			w := wardOf(t, setup(t, dbURL, redisURL), dbURL, redisURL)
			if found := w.fails("redis.ping"); found["workers.alive"].Verdict != dku.Warn {
				t.Errorf("%+v", found)
			}
			w.until(func(_ dku.Report, found map[string]dku.Finding) bool {
				return found["app.readyz"].Verdict == dku.Warn && found["smoke.move"].Verdict == dku.OK
			})
		})
	}
}

func TestDKUWithTheAPIDown(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	for name, api := range map[string]string{"refuses": "http://" + closed(t), "is silent": "http://" + blackHole(t), "is another's": elsewhere.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dbURL := testdb.New(t)
			redisURL := "redis://" + miniredisThatAges(t).Addr()
			w := wardOf(t, setup(t, dbURL, redisURL), dbURL, redisURL)
			w.target.API = api
			if found := w.fails("app.healthz"); !strings.Contains(found["smoke.prepare"].Message, "Not run, because app.healthz failed") {
				t.Errorf("%+v", found["smoke.prepare"])
			}
		})
	}
}

// serving is an API without a worker.
func serving(t *testing.T, dbURL, redisURL, root string) site {
	t.Helper()
	return start(t, services{works: false}, dbURL, redisURL, root)
}

func TestDKUWithoutAWorkerNamesTheQueueThatWaits(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	s := serving(t, dbURL, redisURL, t.TempDir())
	s.post(map[string]string{"source_path": filepath.Join(s.root, "a"), "destination_path": filepath.Join(s.root, "b"), "mode": "copy"})
	found := wardOf(t, s, dbURL, redisURL).fails("workers.alive", "workers.queues", "postgres.leader")
	if f := found["workers.queues"]; f.Subject != "default" || *f.Figure != 1 {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(found["smoke.prepare"].Message, "there is no worker") || found["smoke.move"].Verdict != dku.Warn {
		t.Errorf("%+v %+v", found["smoke.prepare"], found["smoke.move"])
	}
}

// A worker that is suspended keeps its heartbeat for some seconds, and its run for longer.
func TestDKUWithAStaleWorker(t *testing.T) {
	t.Parallel()
	store, dbURL := testdb.New(t)
	redis := miniredisThatAges(t)
	redisURL := "redis://" + redis.Addr()
	s := serving(t, dbURL, redisURL, t.TempDir())
	posted := s.post(map[string]string{"source_path": filepath.Join(s.root, "a"), "destination_path": filepath.Join(s.root, "b"), "mode": "copy"})
	_, err := store.Pool().Exec(t.Context(), `INSERT INTO job_runs (job_id, worker, renewed_at, lease_expires_at)
		VALUES ($1, 'frozen', now() - interval '60 s', now() - interval '50 s')`, posted.ID)
	if err != nil {
		t.Fatal(err)
	}
	w := wardOf(t, s, dbURL, redisURL)
	w.target.NoSmoke = true
	lastBeat(t, redis)
	w.until(func(_ dku.Report, found map[string]dku.Finding) bool {
		lastBeat(t, redis) // for the next look
		beat, run := found["workers.heartbeats"], found["workers.runs"]
		return beat.Verdict == dku.Fail && beat.Subject == "frozen" && run.Verdict == dku.Fail && strings.Contains(run.Message, "frozen")
	})
}

// lastBeat is a heartbeat that is late, and that Redis has not forgotten yet.
func lastBeat(t *testing.T, redis *miniredis.Miniredis) {
	t.Helper()
	stale, err := json.Marshal(broker.Worker{Name: "frozen", Queues: []string{"default"}, SeenAt: time.Now().Add(-12500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	redis.Set("ketter:worker:frozen", string(stale))
}

// A worker that has a heartbeat and takes no job: the smoke test finds it, says so and leaves nothing.
func TestDKUWithAWorkerThatTakesNoJobs(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redis := miniredisThatAges(t)
	redisURL := "redis://" + redis.Addr()
	s := serving(t, dbURL, redisURL, t.TempDir())
	idleWorker(t, redis)
	w := wardOf(t, s, dbURL, redisURL)
	found := w.fails("smoke.copy_direct", "smoke.copy_zip_first", "smoke.move", "smoke.destination_exists")
	if f := found["smoke.cleanup"]; f.Verdict != dku.OK || !strings.Contains(found["smoke.move"].Message, "FAILED") {
		t.Errorf("%+v", found)
	}
}

// idleWorker is the heartbeat of a worker that takes no jobs.
func idleWorker(t *testing.T, redis *miniredis.Miniredis) {
	t.Helper()
	idle, err := json.Marshal(broker.Worker{Name: "idle", Version: version, Queues: []string{"default"}, SeenAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	redis.Set("ketter:worker:idle", string(idle))
}

func TestDKUThatIsInterruptedCancelsItsJobsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redis := miniredisThatAges(t)
	redisURL := "redis://" + redis.Addr()
	w := wardOf(t, serving(t, dbURL, redisURL, t.TempDir()), dbURL, redisURL)
	idleWorker(t, redis)
	probe := dku.NewProbe(t.Context(), w.target)
	defer probe.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	found := map[string]dku.Finding{}
	dku.Run(ctx, probe.Checks(), probe.Redactor(), func(findings []dku.Finding) {
		for _, f := range findings {
			found[f.ID] = f
		}
		if _, made := found["smoke.prepare"]; made {
			interrupt()
		}
	})
	if found["smoke.prepare"].Verdict != dku.OK || found["smoke.move"].Verdict != dku.Warn || found["smoke.cleanup"].Verdict != dku.OK {
		t.Errorf("%+v", found)
	}
	w.leavesNothing()
}

func TestDKUWithAMigrationMissing(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	w := wardOf(t, setup(t, dbURL, redisURL), dbURL, redisURL)
	behind, behindURL := testdb.New(t)
	if err := riverjobs.MigrateDown(t.Context(), behind, behindURL); err != nil {
		t.Fatal(err)
	}
	w.target.DBURL, w.target.NoSmoke = behindURL, true
	if _, err := behind.Pool().Exec(t.Context(), "DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)"); err != nil {
		t.Fatal(err)
	}
	w.fails("postgres.migrations_ketter", "postgres.migrations_river")
}

func TestDKUNamesThePortalThatCanNotBeReached(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	s := setup(t, dbURL, redisURL)
	asked, err := client.New(s.url)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(closed(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, portal := range []client.PortalFields{
		{"name": "HERE", "kind": "local", "root_path": s.root},
		{"name": "GONE", "kind": "sftp", "host": "127.0.0.1", "port": json.Number(port), "username": "ketter", "root_path": "/srv",
			"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBf2EPAG4xsAnmTEcbIvMpmEhLtgpBBHCpmzbCEVWmo7"},
	} {
		if _, err := asked.AddPortal(t.Context(), portal); err != nil {
			t.Fatal(err)
		}
	}
	w := wardOf(t, s, dbURL, redisURL)
	w.target.NoSmoke = true
	if f := w.fails("storage.portals")["storage.portals"]; f.Subject != "GONE" {
		t.Errorf("%+v", f)
	}
	w.until(func(report dku.Report, _ map[string]dku.Finding) bool {
		return slices.ContainsFunc(report.Findings, func(f dku.Finding) bool { return f.Subject == "HERE" && f.Verdict == dku.OK })
	})
}
