package survival

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// A backup is taken while jobs run, the database is lost some jobs later, and docs/operations.md ("Restore") is followed. Every
// job that was accepted before the backup ends as it must, and what had arrived after it isn't made, or touched, again.
func TestABackupTakenWhileJobsRunIsRestored(t *testing.T) {
	t.Parallel()
	r := newRestoration(t)
	r.before()
	dump := r.backUp()
	r.after()
	was := r.lose()
	restored := r.restore(dump)
	r.goesOn(was, restored)
}

// restoration is a database that is lost, what was asked of it, and what had arrived by then.
type restoration struct {
	*bench
	server    *postgres
	name      string // of the database
	processes []*process

	kept, lost *load             // accepted before and after the backup
	unasked    []order           // of those that are going to be lost
	doomed     int64             // failed before it
	cancelled  int64             // cancelled before it
	there      map[int64]picture // the results of those that had succeeded when the database was lost
}

func newRestoration(t *testing.T) *restoration {
	t.Helper()
	r := &restoration{server: newPostgres(t), name: "ketter", there: map[int64]picture{}}
	r.admin(t, "CREATE DATABASE "+r.name)
	url := strings.Replace(r.server.url(), "/postgres?", "/"+r.name+"?", 1)
	store, err := db.Open(t.Context(), url, 4)
	must(t, err)
	t.Cleanup(store.Close)
	must(t, riverjobs.MigrateUp(t.Context(), store, url))
	r.bench = setupOn(t, store, url)
	r.env = []string{"KETTER_CONCURRENCY=1"}
	return r
}

// admin runs a statement beside the database.
func (r *restoration) admin(t *testing.T, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.server.url())
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	must(t, err)
}

// before makes jobs of every status: ended, running, and waiting.
func (r *restoration) before() {
	r.Helper()
	r.processes = append(r.processes, r.serve())
	r.cancelled = r.submit(r.order("cancelled", transfer.Copy, transfer.Auto))
	_, err := r.cancel(r.cancelled)
	must(r.T, err)
	first := r.worker("w0")
	r.doomed = r.submit(r.order("missing", transfer.Copy, transfer.Auto))
	r.await(r.doomed, transfer.Failed, time.Minute)
	r.kept = r.load(2, 1<<20)
	for _, id := range r.kept.ids {
		r.await(id, transfer.Success, time.Minute)
	}
	first.kill()
	r.plantLost()
	r.kept.add(either(10, 24), 24<<20)
	r.processes = append(r.processes, r.worker("w1"), r.worker("w2"))
	if !r.kept.copying() {
		r.Fatal("all was done before anything could be backed up")
	}
}

// plantLost makes what will be asked for after the backup.
func (r *restoration) plantLost() {
	r.Helper()
	r.lost = &load{b: r.bench, asks: map[int64]order{}, want: map[int64]picture{}}
	for n := range 3 {
		o := r.order(fmt.Sprintf("lost %d", n), both[n%2], transfer.Auto)
		o.Destination = filepath.Join(filepath.Dir(r.to), "lost")
		r.plantTree(filepath.Base(o.Source), 40, 1, 4<<20)
		r.unasked = append(r.unasked, o)
	}
}

// backUp is the command of docs/operations.md.
func (r *restoration) backUp() (dump string) {
	r.Helper()
	dump = filepath.Join(r.server.home, "ketter.dump")
	r.tool("pg_dump", "-Fc", "-f", dump, r.url)
	return dump
}

func (r *restoration) tool(name string, arguments ...string) {
	r.Helper()
	if said, err := r.server.command(name, arguments...).CombinedOutput(); err != nil {
		r.Fatalf("%s: %v: %s", name, err, said)
	}
}

// after goes on until a copy and a move have succeeded of which the backup doesn't know it, with jobs that it doesn't know at all.
func (r *restoration) after() {
	r.Helper()
	waiting := r.list(r.Context(), "SELECT id::text FROM jobs WHERE status IN ('pending', 'running')")
	for _, o := range r.unasked {
		want := r.contentOf(o.Source)
		id := r.submit(o)
		r.lost.ids, r.lost.asks[id], r.lost.want[id] = append(r.lost.ids, id), o, want
	}
	r.eventually("a copy and a move of the backup's have succeeded since", 2*time.Minute, func() bool {
		return ask[int](r.bench, `SELECT count(DISTINCT mode) FROM jobs WHERE status = 'success' AND id = ANY($1::text[]::bigint[])`,
			waiting) == 2
	})
}

// lose kills everything in the middle of what it does, and drops the database. It returns what had become of the jobs.
func (r *restoration) lose() (was map[int64]transfer.Status) {
	r.Helper()
	for _, p := range r.processes {
		p.kill()
	}
	r.audit() // while there is a database to ask
	r.journal = newJournal(r.T)
	was = r.statuses()
	for id, status := range was {
		if o, known := r.kept.asks[id]; known && status == transfer.Success {
			r.there[id] = r.whereabouts(o)
		}
	}
	r.admin(r.T, "DROP DATABASE "+r.name+" WITH (FORCE)")
	r.store.Pool().Reset()
	return was
}

func (r *restoration) statuses() map[int64]transfer.Status {
	r.Helper()
	jobs, err := r.store.Jobs(r.Context(), db.JobFilter{Limit: 500})
	must(r.T, err)
	found := map[int64]transfer.Status{}
	for _, job := range jobs {
		found[job.ID] = job.Status
	}
	return found
}

// whereabouts is what a second run into a tree would change.
func (r *restoration) whereabouts(o order) picture {
	r.Helper()
	return r.picture(o.final(), func(s unix.Stat_t) string { return fmt.Sprintf(" inode %d modified %d", s.Ino, s.Mtim.Nano()) })
}

// restore follows docs/operations.md, and returns what is told of the jobs before anything runs.
func (r *restoration) restore(dump string) map[int64]transfer.Status {
	r.Helper()
	r.admin(r.T, "CREATE DATABASE "+r.name)
	r.tool("pg_restore", "--no-owner", "--exit-on-error", "-d", r.url, dump)
	r.ketter("migrate", "up")
	r.Log(r.ketter("migrate", "restored"))
	return r.statuses()
}

// ketter runs a command to its end.
func (r *restoration) ketter(arguments ...string) string {
	r.Helper()
	path, err := binary()
	must(r.T, err)
	cmd := exec.CommandContext(r.Context(), path, arguments...)
	cmd.Env, cmd.SysProcAttr = []string{"PATH=/usr/bin:/bin", "DB_URL=" + r.url}, &syscall.SysProcAttr{}
	said, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("ketter %v: %v: %s", arguments, err, said)
	}
	return string(said)
}

// goesOn starts everything on the restored database and looks at all that comes of it.
func (r *restoration) goesOn(was, restored map[int64]transfer.Status) {
	r.Helper()
	r.serve()
	r.worker("w1")
	r.worker("w2")
	again := r.newJob()
	r.settled(3 * time.Minute)
	if was[again] != "" || restored[again] != "" {
		r.Errorf("the number %d was given twice", again)
	}
	r.await(again, transfer.Success, time.Minute)
	r.unchanged(r.doomed, transfer.Failed)
	r.unchanged(r.cancelled, transfer.Cancelled)
	ends := map[string]int{}
	for _, id := range r.kept.ids {
		ends[fmt.Sprintf("%s in the backup, %s when lost, %s", restored[id], was[id], r.endsRight(id, was[id], restored[id]))]++
	}
	r.Logf("how many jobs: %v", ends)
	for _, id := range r.lost.ids {
		r.notByHalves(id)
	}
}

// newJob is submitted into the folder where jobs that nobody knows any more may have left something.
func (r *restoration) newJob() int64 {
	r.Helper()
	r.plantTree("new", 40, 1, 1<<20)
	o := r.order("new", transfer.Copy, transfer.Auto)
	o.Destination = r.lost.asks[r.lost.ids[0]].Destination
	return r.submit(o)
}

func (r *restoration) unchanged(id int64, status transfer.Status) {
	r.Helper()
	if job := r.job(id); job.Status != status {
		r.Errorf("job %d had %s, and is %s now", id, status, job.Status)
	}
}

// endsRight proves what has become of a job that the backup has. What had arrived by the time the database was lost is as it
// was, whether the job finds that it was its own (success) or that something is there (destination_exists).
func (r *restoration) endsRight(id int64, was, restored transfer.Status) string {
	r.Helper()
	job, o := r.job(id), r.kept.asks[id]
	end := string(job.Status)
	if job.ErrorCode != nil {
		end += ", " + string(*job.ErrorCode)
	}
	isThere := job.Status == transfer.Failed && *job.ErrorCode == failure.DestinationExists
	if job.Status != transfer.Success && (restored == transfer.Success || was != transfer.Success || !isThere) {
		r.Errorf("job %d (%v), %s in the backup and %s when the database was lost, is %s:\n%s", id, o, restored, was, end, r.told(id))
	}
	r.arrived(o, r.kept.want[id])
	if there := r.there[id]; there != nil {
		r.same(fmt.Sprintf("what job %d had made", id), there, r.whereabouts(o))
	}
	return end
}

// notByHalves: a job that nobody knows any more has arrived, or nothing of it is seen.
func (r *restoration) notByHalves(id int64) {
	r.Helper()
	if found := r.contentOf(r.lost.asks[id].final()); found != nil {
		r.same(fmt.Sprintf("the lost job %d", id), r.lost.want[id], found)
	}
}
