package riverjobs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until what is true.
func eventually(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !isTrue() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func exec(t *testing.T, store *db.Store, sql string, args ...any) {
	t.Helper()
	_, err := store.Pool().Exec(t.Context(), sql, args...)
	must(t, err)
}

func scan[T any](t *testing.T, store *db.Store, sql string, args ...any) T {
	t.Helper()
	var value T
	must(t, store.Pool().QueryRow(t.Context(), sql, args...).Scan(&value))
	return value
}

// publisher keeps what it is told.
type publisher struct {
	mu   sync.Mutex
	told []string
}

func (p *publisher) Publish(jobID, seq int64, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, fmt.Sprintf("%d/%d %s", jobID, seq, kind))
}

func (p *publisher) has(told string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.told, told)
}

// bench is a database, a client, and two folders with an engine that may use them.
type bench struct {
	*testing.T
	store    *db.Store
	events   riverjobs.Publisher
	client   *riverjobs.Client
	from, to string
	engine   *engine.Engine
	lease    time.Duration

	maxTakeovers         int
	queues               []string
	concurrency          int
	keepJobs, keepEvents time.Duration
	meter                riverjobs.Meter
}

// zipAbove is after how many files the bench's engine packs.
const zipAbove = 3

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	store, _ := testdb.New(t)
	root := t.TempDir()
	b := &bench{T: t, store: store, events: &publisher{}, from: filepath.Join(root, "from"), to: filepath.Join(root, "to"),
		lease: 30 * time.Second, maxTakeovers: 5,
		queues: []string{transfer.DefaultQueue}, concurrency: 4}
	must(t, os.Mkdir(b.from, 0o755))
	must(t, os.Mkdir(b.to, 0o755))
	var err error
	b.engine, err = engine.New(engine.Options{AllowedRoots: []string{root},
		Policy: planner.Policy{ZipThresholdFiles: zipAbove, ZipThresholdAvgSize: 1 << 20}})
	must(t, err)
	b.client, err = riverjobs.NewClient(store, b.events, zerolog.Nop())
	must(t, err)
	return b
}

// start starts a worker, which ends with the test or when stop is called.
func (b *bench) start(name string) (stop func()) {
	b.Helper()
	installation, err := b.store.Installation(b.Context())
	must(b.T, err)
	worker, err := riverjobs.NewWorker(b.store, b.events, zerolog.New(zerolog.NewTestWriter(b.T)), riverjobs.WorkerOptions{
		Name: name, Installation: installation, Engine: b.engine, Concurrency: b.concurrency,
		Queues: b.queues, MaxTakeovers: b.maxTakeovers, KeepJobs: b.keepJobs, KeepEvents: b.keepEvents,
		SoftStop: 50 * time.Millisecond, Lease: b.lease, Beat: 50 * time.Millisecond, Meter: b.meter,
	})
	must(b.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	must(b.T, worker.Start(ctx))
	stop = func() {
		cancel()
		<-worker.Stopped()
	}
	b.Cleanup(stop)
	return stop
}

// tree makes a folder of n files of 100 bytes at the source.
func (b *bench) tree(name string, n int) {
	b.Helper()
	for i := range n {
		file := filepath.Join(b.from, name, fmt.Sprintf("d%d", i%2), fmt.Sprintf("f%d", i))
		must(b.T, os.MkdirAll(filepath.Dir(file), 0o755))
		must(b.T, os.WriteFile(file, []byte(content(i)), 0o644))
	}
}

func content(i int) string { return strings.Repeat(string(rune('a'+i)), 100) }

func (b *bench) wantTree(name string, n int) {
	b.Helper()
	for i := range n {
		got, err := os.ReadFile(filepath.Join(b.to, name, fmt.Sprintf("d%d", i%2), fmt.Sprintf("f%d", i)))
		if err != nil || string(got) != content(i) {
			b.Errorf("file %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// wantSource wants the source to be as tree made it.
func (b *bench) wantSource(name string, n int) {
	b.Helper()
	at := *b
	at.to = b.from
	at.wantTree(name, n)
}

func (b *bench) mkdir(path string) {
	b.Helper()
	must(b.T, os.MkdirAll(path, 0o755))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (b *bench) wantGone(path string) {
	b.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		b.Errorf("%s: %v", path, err)
	}
}

// wantSwept waits until no staging is left: it goes after the success is told.
func (b *bench) wantSwept() {
	b.Helper()
	eventually(b.T, "the staging is gone", func() bool {
		left, err := filepath.Glob(filepath.Join(b.to, ".ketter-*"))
		must(b.T, err)
		return len(left) == 0
	})
}

func (b *bench) spec(name string, mode transfer.Mode, strategy transfer.Strategy) transfer.Spec {
	return transfer.Spec{Source: filepath.Join(b.from, name), Destination: b.to, Mode: mode, Strategy: strategy,
		Verify: transfer.Checksum}
}

func (b *bench) submit(spec transfer.Spec) db.Job {
	b.Helper()
	job, created, err := b.client.Submit(b.Context(), submission(spec))
	must(b.T, err)
	if !created {
		b.Error("the job was there already")
	}
	return job
}

func submission(spec transfer.Spec) transfer.Submission {
	return transfer.Submission{Spec: spec, Queue: transfer.DefaultQueue, Priority: transfer.DefaultPriority}
}

// riverJob is what River says of a job.
type riverJob struct {
	State    string
	Attempt  int
	Finished bool
}

func (b *bench) river(job db.Job) riverJob {
	b.Helper()
	var r riverJob
	must(b.T, b.store.Pool().QueryRow(b.Context(), "SELECT state, attempt, finalized_at IS NOT NULL FROM river_job WHERE id = $1",
		job.RiverJobID).Scan(&r.State, &r.Attempt, &r.Finished))
	return r
}

// await waits until the job has the status and returns it with its events, which are checked to have no gaps.
func (b *bench) await(id int64, status transfer.Status) (db.Job, []db.JobEvent) {
	b.Helper()
	var job db.Job
	var events []db.JobEvent
	eventually(b.T, "job "+string(status), func() (is bool) {
		f, err := b.store.Follow(b.Context(), id, 0, db.AllEvents)
		must(b.T, err)
		job, events = f.Job, f.Events
		if job.Status.Final() && job.Status != status {
			b.Fatalf("the job is %s: %v", job.Status, text(job.ErrorMessage))
		}
		return job.Status == status
	})
	for i, event := range events {
		if event.Seq != int64(i+1) {
			b.Errorf("event %d has number %d", i+1, event.Seq)
		}
	}
	return job, events
}

// awaitRiver waits until River's job has a state.
func (b *bench) awaitRiver(job db.Job, states ...string) riverJob {
	b.Helper()
	var last riverJob
	eventually(b.T, "River's job "+strings.Join(states, " or "), func() bool {
		last = b.river(job)
		return slices.Contains(states, last.State)
	})
	return last
}

// awaitEvent waits for n events of a kind.
func (b *bench) awaitEvent(id int64, kind transfer.EventKind, n int) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("event %s × %d", kind, n), func() bool {
		return scan[int](b.T, b.store, "SELECT count(*) FROM job_events WHERE job_id = $1 AND kind = $2", id, kind) >= n
	})
}

// breaks makes every write of a table that meets the condition fail, until mend is called.
func (b *bench) breaks(table, operation, condition string) (mend func()) {
	b.Helper()
	exec(b.T, b.store, fmt.Sprintf(`CREATE TABLE broken (); CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN IF to_regclass('broken') IS NOT NULL THEN RAISE EXCEPTION 'broken by the test'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER break BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION break()`, operation, table, condition))
	return func() { exec(b.T, b.store, "DROP TABLE broken") }
}

const holdLock = 4711

// hold makes runs wait where they record an event of a kind, until release is called.
func (b *bench) hold(kind transfer.EventKind) (release func()) {
	b.Helper()
	exec(b.T, b.store, fmt.Sprintf(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_advisory_xact_lock(%d); RETURN NEW; END $$;
		CREATE TRIGGER hold BEFORE INSERT ON job_events FOR EACH ROW WHEN (NEW.kind = '%s') EXECUTE FUNCTION hold()`, holdLock, kind))
	conn, err := pgx.ConnectConfig(b.Context(), b.store.Pool().Config().ConnConfig)
	must(b.T, err)
	_, err = conn.Exec(b.Context(), "SELECT pg_advisory_lock($1)", holdLock)
	must(b.T, err)
	release = sync.OnceFunc(func() { _ = conn.Close(context.Background()) })
	b.Cleanup(release)
	return release
}

// awaitHeld waits until a run waits.
func (b *bench) awaitHeld() {
	b.Helper()
	eventually(b.T, "a run is held", func() bool { return b.held() > 0 })
}

// awaitWaiting waits until n transactions wait for a job's row.
func (b *bench) awaitWaiting(n int) {
	b.Helper()
	eventually(b.T, "a transaction waits for the row", func() bool {
		return scan[int](b.T, b.store, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')`) >= n
	})
}

// holder is the database's process of a run that waits; 0: none does.
func (b *bench) holder() int {
	return scan[int](b.T, b.store, `SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND objid = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, holdLock)
}

func (b *bench) held() int {
	return scan[int](b.T, b.store, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND objid = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, holdLock)
}

func kinds(events []db.JobEvent) []transfer.EventKind {
	var list []transfer.EventKind
	for _, event := range events {
		list = append(list, event.Kind)
	}
	return list
}

func count(events []db.JobEvent, kind transfer.EventKind) (n int) {
	for _, event := range events {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
