package survival

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// strike does one deed at a random moment: mostly to a worker that has something to do, else to any.
func (o *ordeal) strike() {
	o.Helper()
	order, any := o.rng.Perm(len(o.victims)), o.rng.IntN(3) == 0
	j, nth := o.jobs[len(o.jobs)-1-o.rng.IntN(min(len(o.jobs), 4))], o.rng.IntN(1<<20)
	deed, pause := o.rng.IntN(9), time.Duration(o.rng.IntN(150))*time.Millisecond
	v := o.victims[order[0]]
	for deadline := time.Now().Add(time.Second); !any && o.runs(v) == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, n := range order {
			if o.victims[n].process.alive() && o.runs(o.victims[n]) > 0 {
				v = o.victims[n]
				break
			}
		}
	}
	time.Sleep(pause)
	if running := o.running(); nth%4 > 0 && len(running) > 0 {
		j = running[nth%len(running)]
	}
	busy := o.runs(v)
	if busy > 0 {
		o.struck++
	}
	o.deeds = append(o.deeds, fmt.Sprintf("%s %s, which ran %d jobs", time.Now().UTC().Format("15:04:05.000"), o.do(deed, v, j), busy))
}

// running are the jobs that an operator would see run: those that wait are many more.
func (o *ordeal) running() (some []*tortured) {
	o.Helper()
	ids := o.list(o.Context(), "SELECT id::text FROM jobs WHERE status = 'running' ORDER BY id")
	for _, j := range o.jobs {
		if slices.Contains(ids, fmt.Sprint(j.id)) {
			some = append(some, j)
		}
	}
	return some
}

// runs is how many jobs a worker has, also one that is dead or cut off.
func (o *ordeal) runs(v *victim) int {
	o.Helper()
	return ask[int](o.bench, "SELECT count(*) FROM job_runs WHERE worker = $1", v.name)
}

func (o *ordeal) do(deed int, v *victim, j *tortured) string {
	o.Helper()
	switch deed {
	case 0, 1:
		return o.killOrStart(v)
	case 2:
		return o.freezeOrThaw(v)
	case 3:
		v.network.cut()
		return "cut the connections of " + v.name
	case 4:
		return o.swallowOrRestore(v)
	case 5:
		return o.restart(v)
	case 6, 7:
		_, err := o.cancel(j.id)
		if err == nil {
			o.cancelled = append(o.cancelled, j)
		}
		return o.operated("cancelled", j, err) + ". Meanwhile " + v.name
	default:
		if n := len(o.cancelled); n > 0 {
			j = o.cancelled[n-1]
		}
		_, err := o.retry(j.id)
		return o.operated("retried", j, err) + ". Meanwhile " + v.name
	}
}

func (o *ordeal) operated(what string, j *tortured, err error) string {
	o.Helper()
	if err != nil && failure.CodeOf(err) != failure.JobState {
		o.Errorf("an operator was told: %v", err)
	}
	return fmt.Sprintf("%s job %d (%v)", what, j.id, err)
}

func (o *ordeal) killOrStart(v *victim) string {
	o.Helper()
	if v.process.alive() {
		v.process.kill()
		v.frozen = false
		return "killed " + v.name
	}
	v.process = o.start(v.name, "worker", "DB_URL="+v.url) // with a network that may not let it begin
	return "started " + v.name
}

func (o *ordeal) freezeOrThaw(v *victim) string {
	o.Helper()
	switch {
	case v.frozen:
		v.process.thaw()
		v.frozen = false
		return "thawed " + v.name
	case v.process.alive():
		v.frozen = v.process.freeze()
		return "froze " + v.name
	}
	return o.killOrStart(v)
}

func (o *ordeal) swallowOrRestore(v *victim) string {
	o.Helper()
	if !v.network.swallows() {
		v.network.swallow()
		return "split the network of " + v.name
	}
	how := "mended"
	if o.rng.IntN(2) == 0 {
		how = "cut and mended"
		v.network.cut()
	}
	v.network.restore()
	return how + " the network of " + v.name
}

// restart is an upgrade: SIGTERM, and another process when the first has ended, or is made to.
func (o *ordeal) restart(v *victim) string {
	o.Helper()
	if !v.process.alive() || v.frozen {
		return o.killOrStart(v)
	}
	v.process.signal(syscall.SIGTERM)
	select {
	case <-v.process.gone:
	case <-time.After(3 * time.Second): // its database may be out of reach
		v.process.kill()
	}
	v.process = o.start(v.name, "worker", "DB_URL="+v.url)
	return "restarted " + v.name
}

// relieve lets all workers work again. One that was frozen last has lost its leases by then.
func (o *ordeal) relieve() {
	o.Helper()
	time.Sleep(o.lease)
	for _, v := range o.victims {
		v.network.restore()
		if v.frozen {
			o.freezeOrThaw(v)
		}
		if !v.process.alive() {
			o.killOrStart(v)
		}
	}
	o.deeds = append(o.deeds, time.Now().UTC().Format("15:04:05.000 ")+"relieved all")
}
