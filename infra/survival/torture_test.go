package survival

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// ordeal is three workers, each with a network of its own, many jobs, and what is done to them.
type ordeal struct {
	*bench
	rng     *rand.Rand
	victims []*victim
	jobs    []*tortured

	cancelled []*tortured
	deeds     []string
	struck    int // how many of them met a worker in the middle of something
}

// victim is a worker; what is done to it once is undone the next time.
type victim struct {
	name    string
	network *proxy
	url     string // of the database, by way of that
	process *process
	frozen  bool
}

// tortured is a job, and what was where before it.
type tortured struct {
	order
	id     int64
	source picture
	there  picture      // under the final name already
	doomed failure.Code // what it must end with unless it is cancelled; "" for those that can succeed
}

// After whatever happens, in whatever order, every file is where its job's status says, once, and nothing else is left.
func TestTortureOfJobs(t *testing.T) {
	t.Parallel()
	o := newOrdeal(t)
	rounds, jobs := either(12, 100), either(24, 200)
	for n := range rounds {
		for len(o.jobs) < jobs*(n+1)/rounds {
			o.add()
		}
		o.strike()
	}
	o.relieve()
	o.finish(either(4*time.Minute, 30*time.Minute))
	for _, j := range o.jobs {
		o.verify(j)
	}
	o.nothingElse()
	o.Logf("%d of %d deeds struck in the middle of a job; %s", o.struck, rounds, o.summary())
}

func newOrdeal(t *testing.T) *ordeal {
	t.Helper()
	o := &ordeal{bench: setup(t), rng: seeded(t)}
	o.lease, o.beat, o.softStop = 2*time.Second, 400*time.Millisecond, 100*time.Millisecond
	o.env = []string{"KETTER_MAX_TAKEOVERS=1000"}
	o.serve()
	for n := range 3 {
		v := &victim{name: fmt.Sprintf("w%d", n+1), network: newProxy(t, o.url)}
		v.url = v.network.to(o.url)
		v.process = o.worker(v.name, "DB_URL="+v.url)
		o.victims = append(o.victims, v)
	}
	t.Cleanup(func() { t.Logf("what was done:\n%s", strings.Join(o.deeds, "\n")) })
	return o
}

// add submits a job: half of them are moves, some can't succeed.
func (o *ordeal) add() {
	o.Helper()
	n := len(o.jobs)
	from := o.from
	if o.rng.IntN(4) == 0 { // where a move may be a rename
		from = filepath.Join(filepath.Dir(o.to), "near")
	}
	name := fmt.Sprintf("job %d", n)
	j := &tortured{order: order{Source: filepath.Join(from, name), Destination: filepath.Join(o.to, fmt.Sprintf("place %d", n%4)),
		Mode: both[n%2], Strategy: []transfer.Strategy{transfer.Auto, transfer.Direct, transfer.ZipFirst}[o.rng.IntN(3)]}}
	o.plantTree(name, 20+o.rng.IntN(40), 1+o.rng.IntN(3), 12<<20)
	if from != o.from {
		must(o.T, os.MkdirAll(from, 0o755))
		must(o.T, os.CopyFS(j.Source, os.DirFS(filepath.Join(o.from, name))))
		must(o.T, os.RemoveAll(filepath.Join(o.from, name)))
	}
	switch o.rng.IntN(12) {
	case 0:
		j.doomed = failure.DestinationExists
		must(o.T, os.MkdirAll(filepath.Join(j.final(), "mine"), 0o755))
	case 1:
		j.doomed = failure.SourceNotFound
		must(o.T, os.RemoveAll(j.Source))
	}
	j.source, j.there = o.contentOf(j.Source), o.contentOf(j.final())
	j.id = o.submit(j.order)
	o.jobs = append(o.jobs, j)
}

// finish waits for all jobs.
func (o *ordeal) finish(within time.Duration) {
	o.Helper()
	deadline := time.Now().Add(within)
	for _, j := range o.jobs {
		for !o.job(j.id).Status.Final() {
			if time.Now().After(deadline) {
				o.Fatalf("%v is stuck:\n%s", j, o.told(j.id))
			}
			for _, v := range o.victims { // one that was started without a network gives up
				if !v.process.alive() {
					o.killOrStart(v)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	o.settled(time.Until(deadline))
}

// verify compares what is where with what the job's status says.
func (o *ordeal) verify(j *tortured) {
	o.Helper()
	before := o.Failed()
	job := o.job(j.id)
	code := failure.Code("")
	if job.ErrorCode != nil {
		code = *job.ErrorCode
	}
	what := fmt.Sprintf("job %d, %v, %s %s", j.id, j, job.Status, code)
	source, arrived := o.contentOf(j.Source), o.contentOf(j.final())
	switch {
	case job.Status == transfer.Success:
		if j.doomed != "" {
			o.Errorf("%s should be %s", what, j.doomed)
		}
		o.arrived(j.order, j.source)
	case code == failure.SourceNotRemoved:
		o.same(what+": its result", j.source, arrived)
		for name, is := range source {
			if is != j.source[name] {
				o.Errorf("%s: %q at the source is %q", what, name, is)
			}
		}
	case job.Status == transfer.Cancelled, job.Status == transfer.Failed && code == j.doomed:
		o.same(what+": its source", j.source, source)
		o.same(what+": its destination", j.there, arrived)
	default:
		o.Errorf("%s", what)
	}
	if o.Failed() && !before {
		o.Logf("%s", o.told(j.id))
	}
}

// nothingElse looks for what no job has to do with.
func (o *ordeal) nothingElse() {
	o.Helper()
	known := map[string]bool{}
	for _, j := range o.jobs {
		known[j.final()], known[j.Source] = true, true
	}
	for _, pattern := range []string{o.to + "/*/*", o.to + "/*/.*", o.from + "/*", filepath.Dir(o.to) + "/near/*"} {
		found, err := filepath.Glob(pattern)
		must(o.T, err)
		for _, path := range found {
			if !known[path] {
				o.Errorf("nobody asked for %s", path)
			}
		}
	}
}

func (o *ordeal) summary() string {
	return strings.Join(o.list(o.Context(), `SELECT status || coalesce(' ' || error_code, '') || ': ' || count(*) || ' jobs, ' ||
		sum(attempts) || ' attempts, ' || sum(takeovers) || ' takeovers' FROM jobs GROUP BY status, error_code ORDER BY 1`), "; ")
}
