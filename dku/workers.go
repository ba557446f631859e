package dku

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/broker"
)

const (
	workersAlive = "workers.alive"
	// lateBeat is how long a heartbeat, of which one comes every 5 s, may be out. Redis forgets one after broker.WorkerTTL.
	lateBeat    = 12 * time.Second
	startWorker = "Start one: `ketter worker` on a host that sees the storages, or `ketter up`. Jobs wait until then."
)

func (p *Probe) workerChecks() []Check {
	return []Check{
		{ID: workersAlive, Deadline: quick, Needs: []string{redisPing}, Run: one(p.workersAlive)},
		{ID: "workers.heartbeats", Deadline: quick, Needs: []string{redisPing, workersAlive}, Run: p.heartbeats},
		{ID: "workers.queues", Deadline: quick, Needs: []string{redisPing, "postgres.migrations_ketter", reachable}, Run: p.queues},
		{ID: "workers.runs", Deadline: quick, Needs: []string{reachable, "postgres.migrations_ketter"}, Run: p.silentRuns},
	}
}

func (p *Probe) workersAlive(ctx context.Context) Finding {
	asked := time.Now() // before the answer: none that Redis has is older than broker.WorkerTTL then
	workers, err := p.redis.Workers(ctx)
	if err != nil {
		return notTold(err)
	}
	p.noteWorkers(workers, asked)
	count := float64(len(workers))
	if len(workers) == 0 {
		return fail("No worker has a heartbeat: no job is run.", startWorker).with(count, "workers")
	}
	names := make([]string, len(workers))
	for i, w := range workers {
		names[i] = w.Name
	}
	return ok("These have heartbeats: "+strings.Join(names, ", ")+".").with(count, "workers")
}

// heartbeats has a finding for each worker.
func (p *Probe) heartbeats(context.Context) []Finding {
	workers, asked := p.workersSeen()
	var findings []Finding
	for _, w := range workers {
		findings = append(findings, heartbeat(w, asked, p.target.Version).of(w.Name))
	}
	return findings
}

func heartbeat(w broker.Worker, now time.Time, version string) Finding {
	age := now.Sub(w.SeenAt)
	said := fmt.Sprintf("on %s (pid %d), queues %s, %d jobs", w.Host, w.PID, strings.Join(w.Queues, ","), w.Running)
	var f Finding
	switch {
	case age > broker.WorkerTTL || age < -lateBeat: // for Redis has it, and forgets what is as old
		f = warn(fmt.Sprintf("The clocks differ: the worker's heartbeat is fresh and bears a time %.0f s off this host's; %s.", math.Abs(age.Seconds()), said),
			"Set the clocks of both hosts, by NTP.")
	case age > lateBeat:
		f = fail(fmt.Sprintf("The worker is stale: its last heartbeat is %.0f s old; %s.", age.Seconds(), said),
			"See that process and its log on its host: is it suspended, does it hang? Restart it; its jobs are taken over.")
	case w.Version != version:
		f = warn(fmt.Sprintf("The worker is ketter %s, this DKU is %s; %s.", w.Version, version, said),
			"Install the same version everywhere, and restart the worker.")
	default:
		f = ok("The worker lives " + said + ".")
	}
	return f.with(age.Seconds(), "s")
}

// queues has a finding for each queue that jobs wait in.
func (p *Probe) queues(ctx context.Context) []Finding {
	waiting, err := p.store.WaitingQueues(ctx)
	if err != nil {
		return []Finding{notTold(err)}
	}
	workers, err := p.redis.Workers(ctx)
	if err != nil {
		return []Finding{notTold(err)}
	}
	if len(waiting) == 0 {
		return []Finding{ok("No job waits.").with(0, "jobs")}
	}
	var findings []Finding
	for _, queue := range waiting {
		findings = append(findings, covered(queue.Queue, queue.Jobs, workers).of(queue.Queue))
	}
	return findings
}

func covered(queue string, jobs int64, workers []broker.Worker) Finding {
	serving := 0
	for _, w := range workers {
		if slices.Contains(w.Queues, queue) {
			serving++
		}
	}
	message := fmt.Sprintf("%d jobs wait in the queue %s, which %d workers serve.", jobs, queue, serving)
	if serving == 0 {
		return fail(message, fmt.Sprintf("Start a worker for it: `ketter worker --queues %s`, or with KETTER_WORKER_LABEL=%s.", queue, queue)).
			with(float64(jobs), "jobs")
	}
	return ok(message).with(float64(jobs), "jobs")
}

// silentRuns has a finding for each run whose worker doesn't answer.
func (p *Probe) silentRuns(ctx context.Context) []Finding {
	runs, err := p.store.SilentRuns(ctx)
	if err != nil {
		return []Finding{notTold(err)}
	}
	if len(runs) == 0 {
		return []Finding{ok("Every job that runs has a worker that answers.").with(0, "runs")}
	}
	var findings []Finding
	for _, run := range runs {
		findings = append(findings, fail(
			fmt.Sprintf("The worker %s is stale: it has not answered for %.0f s, and holds job %d.", run.Worker, run.SilentSeconds, run.JobID),
			"Another worker takes the job over within seconds; if none does, start one. See the silent one on its host, and restart it.").
			of(fmt.Sprintf("job %d", run.JobID)).with(run.SilentSeconds, "s"))
	}
	return findings
}
