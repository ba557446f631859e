package survival

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// watchRuns has the database log who holds a job when, and what becomes of its status.
func (b *bench) watchRuns() {
	b.Helper()
	b.exec(`
		CREATE TABLE survival_log (
			n bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
			job_id bigint NOT NULL, what text NOT NULL, run text NOT NULL DEFAULT '', worker text NOT NULL DEFAULT '');
		CREATE FUNCTION survival_runs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF TG_OP <> 'INSERT' THEN
				INSERT INTO survival_log (job_id, what, run, worker) VALUES (OLD.job_id, 'lets go', OLD.run_token, OLD.worker);
			END IF;
			IF TG_OP <> 'DELETE' THEN
				INSERT INTO survival_log (job_id, what, run, worker) VALUES (NEW.job_id, 'holds', NEW.run_token, NEW.worker);
			END IF;
			RETURN NULL;
		END $$;
		CREATE FUNCTION survival_jobs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO survival_log (job_id, what) VALUES (NEW.id, OLD.status || ' to ' || NEW.status);
			RETURN NULL;
		END $$;
		CREATE TRIGGER survival_runs AFTER INSERT OR DELETE ON job_runs FOR EACH ROW EXECUTE FUNCTION survival_runs();
		CREATE TRIGGER survival_run_changes AFTER UPDATE ON job_runs FOR EACH ROW
			WHEN (OLD.run_token <> NEW.run_token) EXECUTE FUNCTION survival_runs();
		CREATE TRIGGER survival_jobs AFTER UPDATE ON jobs FOR EACH ROW
			WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION survival_jobs()`)
}

// held is a line of the database's log.
type held struct {
	JobID             int64
	What, Run, Worker string
}

// audit proves that no two runs of a job held it, or acted, at once, and that what is told of jobs is whole.
func (b *bench) audit() {
	b.Helper()
	ctx := context.Background() // the test's own has ended
	rows, err := b.store.Pool().Query(ctx, "SELECT job_id, what, run, worker FROM survival_log ORDER BY n")
	must(b.T, err)
	defer rows.Close()
	var log []held
	workers := map[string]string{}
	for rows.Next() {
		var h held
		must(b.T, rows.Scan(&h.JobID, &h.What, &h.Run, &h.Worker))
		log = append(log, h)
		if h.What == "holds" {
			workers[h.Run] = h.Worker
		}
	}
	must(b.T, rows.Err())
	for _, wrong := range slices.Concat(heldAtOnce(log), actedAtOnce(b.journal.all(), workers), panics(b.journal.all())) {
		b.Error(wrong)
	}
	for _, query := range []string{
		`SELECT 'job ' || id || ' is success and has ' || n || ' finished events' FROM (
			SELECT j.id, count(e.*) AS n FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id AND e.kind = 'finished'
			WHERE j.status = 'success' GROUP BY j.id) counted WHERE n <> 1`,
		`SELECT 'job ' || job_id || ' has events with gaps' FROM job_events GROUP BY job_id HAVING max(seq) <> count(*)`,
		`SELECT 'job ' || job_id || ' changed after its success: ' || string_agg(what, ', ') FROM survival_log l
			WHERE what LIKE '% to %' AND EXISTS (SELECT FROM survival_log s WHERE s.job_id = l.job_id
			AND s.what LIKE '% to success' AND s.n < l.n) GROUP BY job_id`,
	} {
		for _, wrong := range b.list(ctx, query) {
			b.Error(wrong)
		}
	}
}

func (b *bench) list(ctx context.Context, query string, args ...any) []string {
	b.Helper()
	rows, err := b.store.Pool().Query(ctx, query, args...)
	must(b.T, err)
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		must(b.T, rows.Scan(&s))
		list = append(list, s)
	}
	must(b.T, rows.Err())
	return list
}

// heldAtOnce tells which jobs were held by two runs, or let go by one that did not hold it.
func heldAtOnce(log []held) (wrong []string) {
	by := map[int64]string{}
	for _, h := range log {
		switch {
		case h.What == "holds" && by[h.JobID] != "":
			wrong = append(wrong, fmt.Sprintf("job %d: run %s holds it while %s does", h.JobID, h.Run, by[h.JobID]))
		case h.What == "holds":
			by[h.JobID] = h.Run
		case h.What == "lets go" && by[h.JobID] != h.Run:
			wrong = append(wrong, fmt.Sprintf("job %d: run %s lets go of what %q holds", h.JobID, h.Run, by[h.JobID]))
		case h.What == "lets go":
			delete(by, h.JobID)
		}
	}
	return wrong
}

// transferEnded is a worker's word that a run touches no file any more. It may yet take a while to record its end.
const transferEnded = "transfer ended"

// endings are its words that a run has ended altogether.
var endings = []string{"job finished", "job ended without success", "lease_lost: the job goes on elsewhere",
	"the job's end could not be recorded"}

// acting is a run that has started and not ended.
type acting struct {
	run, worker string
	frozen      bool // was it, meanwhile?
}

// actedAtOnce tells which runs began while another of the job still acted, by the order of the journal. A run acts until
// the end of its transfer is told, or its process has ended. One that was frozen can't know that its time is over: what it does then is
// another test's affair.
func actedAtOnce(entries []entry, workers map[string]string) (wrong []string) {
	runs := map[int64][]*acting{}
	for _, e := range entries {
		switch {
		case e.Message == "job started":
			for _, other := range runs[e.JobID] {
				if !other.frozen {
					wrong = append(wrong, fmt.Sprintf("job %d: run %s of %s began while %s of %s acted:\n%s",
						e.JobID, e.Run, workers[e.Run], other.run, other.worker, toldOf(entries, e.JobID, 40)))
				}
			}
			runs[e.JobID] = append(runs[e.JobID], &acting{run: e.Run, worker: workers[e.Run]})
		case e.Message == transferEnded:
			runs[e.JobID] = slices.DeleteFunc(runs[e.JobID], func(a *acting) bool { return a.run == e.Run })
		case e.Deed == ended:
			for id := range runs {
				runs[id] = slices.DeleteFunc(runs[id], func(a *acting) bool { return a.worker == e.Worker })
			}
		case e.Deed == freezes:
			for _, of := range runs {
				for _, a := range of {
					a.frozen = a.frozen || a.worker == e.Worker
				}
			}
		}
	}
	return wrong
}

// panics tells of crashes and of races that a process has died of.
func panics(entries []entry) (wrong []string) {
	for i, e := range entries {
		if strings.HasPrefix(e.text, "panic: ") || strings.HasPrefix(e.text, "fatal error: ") {
			var lines []string
			for _, line := range entries[i:min(i+30, len(entries))] {
				lines = append(lines, line.text)
			}
			wrong = append(wrong, strings.Join(lines, "\n"))
		}
	}
	return wrong
}

// The audit itself must see what it is there for.
func TestTheAuditSeesRunsThatActAtOnce(t *testing.T) {
	t.Parallel()
	workers := map[string]string{"a": "w1", "b": "w2"}
	start := func(run string) entry { return entry{Message: "job started", JobID: 1, Run: run} }
	for name, c := range map[string]struct {
		between []entry
		wrong   int
	}{
		"nothing":                     {nil, 1},
		"the end of another":          {[]entry{{Message: transferEnded, JobID: 1, Run: "c"}}, 1},
		"the end of another's worker": {[]entry{{Deed: ended, Worker: "w2"}}, 1},
		"another was frozen":          {[]entry{{Deed: freezes, Worker: "w2"}}, 1},
		"its end":                     {[]entry{{Message: transferEnded, JobID: 1, Run: "a"}}, 0},
		"its worker was killed":       {[]entry{{Deed: ended, Worker: "w1"}}, 0},
		"its worker was frozen":       {[]entry{{Deed: freezes, Worker: "w1"}, {Deed: thaws, Worker: "w1"}}, 0},
	} {
		entries := slices.Concat([]entry{start("a")}, c.between, []entry{start("b")})
		if wrong := actedAtOnce(entries, workers); len(wrong) != c.wrong {
			t.Errorf("%s: %v", name, wrong)
		}
	}
	twice := []held{{1, "holds", "a", "w1"}, {1, "holds", "b", "w2"}}
	inTurn := []held{{1, "holds", "a", "w1"}, {1, "lets go", "a", "w1"}, {1, "holds", "b", "w2"}}
	if len(heldAtOnce(twice)) != 1 || len(heldAtOnce(inTurn)) != 0 {
		t.Error(heldAtOnce(twice), heldAtOnce(inTurn))
	}
}
