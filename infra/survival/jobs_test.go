package survival

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// order is what a job is asked for.
type order struct {
	Source      string            `json:"source_path"`
	Destination string            `json:"destination_path"`
	Mode        transfer.Mode     `json:"mode"`
	Strategy    transfer.Strategy `json:"strategy"`
}

func (o order) final() string { return filepath.Join(o.Destination, filepath.Base(o.Source)) }

func (o order) String() string {
	return fmt.Sprintf("%s %s of %s", o.Strategy, o.Mode, filepath.Base(o.Source))
}

// order is for what is in the bench's folders.
func (b *bench) order(name string, mode transfer.Mode, strategy transfer.Strategy) order {
	return order{Source: filepath.Join(b.from, name), Destination: b.to, Mode: mode, Strategy: strategy}
}

// submit posts a job and returns its id.
func (b *bench) submit(o order) int64 {
	b.Helper()
	body, err := json.Marshal(o)
	must(b.T, err)
	response, err := http.Post(b.api+"/jobs", "application/json", bytes.NewReader(body))
	must(b.T, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	must(b.T, err)
	var job struct{ ID int64 }
	if err := json.Unmarshal(said, &job); err != nil || response.StatusCode != http.StatusCreated {
		b.Fatalf("POST /jobs: %s %s", response.Status, said)
	}
	return job.ID
}

func (b *bench) job(id int64) db.Job {
	b.Helper()
	found, err := b.store.JobWithProgress(b.Context(), id)
	must(b.T, err)
	return found.Job
}

// await waits until the job has a status. One that ends otherwise fails the test.
func (b *bench) await(id int64, status transfer.Status, within time.Duration) db.Job {
	b.Helper()
	var job db.Job
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		job = b.job(id)
		switch {
		case job.Status == status:
			return job
		case job.Status.Final(), time.Now().After(deadline):
			b.Fatalf("job %d is %s, not %s within %v:\n%s", id, job.Status, status, within, b.told(id))
		}
	}
}

// runner waits until the job runs, and returns the name of its worker.
func (b *bench) runner(id int64) (worker string) {
	b.Helper()
	b.eventually(fmt.Sprintf("job %d runs", id), time.Minute, func() bool {
		worker = ask[string](b, "SELECT coalesce((SELECT worker FROM job_runs WHERE job_id = $1), '')", id)
		return worker != ""
	})
	return worker
}

// started counts how often runs of the job have begun.
func (b *bench) happened(id int64, kind transfer.EventKind) int {
	b.Helper()
	return ask[int](b, "SELECT count(*) FROM job_events WHERE job_id = $1 AND kind = $2", id, kind)
}

// rows is all that the database says of a job.
func (b *bench) rows(id int64) string {
	b.Helper()
	return ask[string](b, `SELECT concat_ws(E'\n', (SELECT to_json(j)::text FROM jobs j WHERE id = $1),
		(SELECT to_json(r)::text FROM job_runs r WHERE job_id = $1),
		(SELECT string_agg(to_json(e)::text, E'\n' ORDER BY seq) FROM job_events e WHERE job_id = $1))`, id)
}

// told is what there is to know of a job that did not do as it should.
func (b *bench) told(id int64) string {
	b.Helper()
	return fmt.Sprintf("%s\n%s", b.rows(id), b.journal.told(id, 40))
}

// settled waits until nothing of any job is under way or left behind.
func (b *bench) settled(within time.Duration) {
	b.Helper()
	for what, query := range map[string]string{
		"no job is under way": `SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')`,
		"no run is left":      `SELECT count(*) FROM job_runs`,
		"no River job outlives its job": `SELECT count(*) FROM river_job r JOIN jobs j ON (r.args->>'job_id')::bigint = j.id
			WHERE j.status IN ('success', 'failed', 'cancelled') AND r.finalized_at IS NULL` +
			// River takes a minute to notice that nobody works at those that were cancelled.
			either(` AND NOT r.metadata ? 'cancel_attempted_at'`, ``),
	} {
		b.eventually(what, within, func() bool { return ask[int](b, query) == 0 })
	}
	left := func() []string {
		// A staging folder whose run was alive is looked at again after half a minute; here it is at once.
		b.exec("UPDATE job_stagings SET sweep_after = now() WHERE sweep_after > now()")
		here, err := filepath.Glob(filepath.Join(b.to, ".ketter-*"))
		must(b.T, err)
		below, err := filepath.Glob(filepath.Join(b.to, "*", ".ketter-*"))
		must(b.T, err)
		return append(here, below...)
	}
	for deadline := time.Now().Add(within); len(left()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("left behind for %v: %v\n%s", within, left(), b.journal.told(0, 100))
		}
	}
}
