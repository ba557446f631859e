package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ketter/ketter/engine/transfer"
)

// installationCollector tells what a reader has read. Of a database or a Redis that doesn't answer it says so, and nothing that it had
// said before.
type installationCollector struct {
	*reader

	databaseUp, schemaFits, redisUp, took, jobs, pending, oldest, serving, silent, rate, workers *prometheus.Desc
}

// Installation makes the metrics of the installation. Queues have places of their own, before any others.
func (m *Metrics) Installation(of Installation, queues []string) {
	m.installation(of, queues, time.Now)
}

func (m *Metrics) installation(of Installation, queues []string, now func() time.Time) {
	m.registry.MustRegister(&installationCollector{
		reader:     &reader{installation: of, now: now, queues: newQueues(queues)},
		databaseUp: desc("ketter_database_up", "Whether the database answers; 0 or 1."),
		schemaFits: desc("ketter_database_schema_fits", "Whether the database's schema is this binary's; 0 or 1."),
		redisUp:    desc("ketter_redis_up", "Whether Redis answers; 0 or 1."),
		took:       desc("ketter_installation_read_seconds", "How long the figures of the installation took to read."),
		jobs:       desc("ketter_jobs", "Jobs there are. Those that have ended are counted at most once a minute.", "status", "strategy"),
		pending:    desc("ketter_queue_pending_jobs", "Jobs that wait in a queue.", "queue"),
		oldest:     desc("ketter_queue_oldest_pending_seconds", "How long the oldest of them has waited.", "queue"),
		serving:    desc("ketter_queue_workers", "Living workers that serve a queue.", "queue"),
		silent:     desc("ketter_silent_runs", "Runs whose worker is silent for longer than its lease, and that nobody has taken over yet."),
		rate:       desc("ketter_running_bytes_per_second", "Rates of all runs under way together, as they told last."),
		workers:    desc("ketter_workers", "Workers that live, by their heartbeats."),
	})
}

func (c *installationCollector) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.databaseUp, c.schemaFits, c.redisUp, c.took, c.jobs, c.pending, c.oldest, c.serving,
		c.silent, c.rate, c.workers} {
		all <- d
	}
}

func (c *installationCollector) Collect(out chan<- prometheus.Metric) {
	found, queues := c.read()
	gauge(out, c.databaseUp, number(found.databaseUp))
	gauge(out, c.redisUp, number(found.redisUp))
	gauge(out, c.took, found.took.Seconds())
	if found.databaseUp {
		gauge(out, c.schemaFits, number(found.database.SchemaFits))
		gauge(out, c.silent, float64(found.database.SilentRuns))
		gauge(out, c.rate, found.database.BytesPerSecond)
		c.tellJobs(out, found)
		c.tellQueues(out, found.database.Queues, queues)
	}
	if found.redisUp {
		gauge(out, c.workers, float64(len(found.workers)))
		c.tellServing(out, found.workers, queues)
	}
}

// tellJobs tells of every status and strategy, so that nothing appears out of nothing.
func (c *installationCollector) tellJobs(out chan<- prometheus.Metric, found reading) {
	counts := map[[2]string]float64{}
	for _, jobs := range slices.Concat(found.database.Jobs, found.ended) {
		counts[[2]string{jobs.Status, orNone(strategies, transfer.Strategy(jobs.Strategy))}] += float64(jobs.Count)
	}
	for _, status := range transfer.Statuses() {
		if status.Final() && found.ended == nil {
			continue
		}
		for _, strategy := range []string{none, string(transfer.Direct), string(transfer.ZipFirst)} {
			gauge(out, c.jobs, counts[[2]string{string(status), strategy}], string(status), strategy)
		}
	}
}

func (c *installationCollector) tellQueues(out chan<- prometheus.Metric, found []Queue, queues []string) {
	jobs, oldest := map[string]float64{}, map[string]float64{}
	for _, queue := range found {
		label := labelOf(queue.Name, queues)
		jobs[label] += float64(queue.Jobs)
		oldest[label] = max(oldest[label], queue.OldestSeconds)
	}
	for _, label := range queues {
		gauge(out, c.pending, jobs[label], label)
		gauge(out, c.oldest, oldest[label], label)
	}
}

// tellServing counts a worker once for each label, however many queues stand behind it.
func (c *installationCollector) tellServing(out chan<- prometheus.Metric, workers [][]string, queues []string) {
	serving := map[string]float64{}
	for _, served := range workers {
		labels := map[string]bool{}
		for _, queue := range served {
			labels[labelOf(queue, queues)] = true
		}
		for label := range labels {
			serving[label]++
		}
	}
	for _, label := range queues {
		gauge(out, c.serving, serving[label], label)
	}
}

func labelOf(queue string, queues []string) string { return among(queues, queue) }

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
