package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// How a run ends. Success aside, the job of a retried, interrupted or lost one goes on.
const (
	succeeded   = "success"
	failed      = "failed"
	cancelled   = "cancelled"
	retried     = "retried"     // after a failure that may pass
	interrupted = "interrupted" // the worker had to stop
	lost        = "lost"        // it could not record its own end
)

// Durations go from a tenth of a second to half a day, throughputs from 1 MB/s to 10 GB/s.
var (
	durations   = []float64{0.1, 0.5, 1, 2.5, 5, 15, 30, 60, 150, 300, 900, 1800, 3600, 7200, 14400, 43200}
	waits       = []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}
	throughputs = []float64{1e6, 5e6, 1e7, 2.5e7, 5e7, 1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 1e10}
)

// Worker counts what a worker does: it is a riverjobs.Meter.
type Worker struct {
	started, leases, takeovers, ended, failures, files, bytes *prometheus.CounterVec

	waited, verified, took, throughput *prometheus.HistogramVec
}

// Worker makes a worker's metrics. running is how many jobs it runs at the moment.
func (m *Metrics) Worker(running func() int) *Worker {
	how := []string{"strategy", "method"}
	w := &Worker{
		started:   counter("ketter_runs_started_total", "Runs that this worker has begun."),
		ended:     counter("ketter_runs_ended_total", "Runs of this worker that have ended.", "result", "strategy", "method"),
		failures:  counter("ketter_run_failures_total", "Failures of this worker's runs, and whether the job is tried again by itself.", "code", "retried"),
		files:     counter("ketter_transferred_files_total", "Files of runs that succeeded.", how...),
		bytes:     counter("ketter_transferred_bytes_total", "Bytes of runs that succeeded.", how...),
		leases:    counter("ketter_lease_renewals_total", "Renewals of this worker's leases, one for each run and beat.", "result"),
		takeovers: counter("ketter_takeovers_total", "Jobs that this worker gave back to the queue because nobody ran them.", "reason"),

		waited:   histogram("ketter_job_wait_seconds", "From the submission, or an operator's retry, to a job's first run.", waits),
		verified: histogram("ketter_verification_seconds", "How long proving a transfer took.", durations, "verify"),
		took:     histogram("ketter_run_duration_seconds", "How long runs that succeeded took.", durations, how...),
		throughput: histogram("ketter_run_throughput_bytes_per_second",
			"Bytes by time of runs that succeeded; a rename moves none and isn't counted.", throughputs, how...),
	}
	m.registry.MustRegister(w.started, w.ended, w.failures, w.files, w.bytes, w.leases, w.takeovers,
		w.waited, w.verified, w.took, w.throughput,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ketter_worker_running_jobs", Help: "Jobs that this worker runs at the moment.",
		}, func() float64 { return float64(running()) }))
	w.begin()
	return w
}

// begin shows every counter from the first scrape on: of one that appears with its first failure, rate and increase see nothing.
func (w *Worker) begin() {
	w.started.WithLabelValues()
	w.waited.WithLabelValues()
	for _, code := range failure.Codes() {
		w.failures.WithLabelValues(string(code), "true")
		w.failures.WithLabelValues(string(code), "false")
	}
	for _, strategy := range append([]string{none}, string(transfer.Direct), string(transfer.ZipFirst)) {
		for _, result := range []string{failed, cancelled, retried, interrupted, lost} {
			w.ended.WithLabelValues(result, strategy, none)
		}
	}
	pairs(func(strategy, method string) {
		w.ended.WithLabelValues(succeeded, strategy, method)
		w.files.WithLabelValues(strategy, method)
		w.bytes.WithLabelValues(strategy, method)
	})
	for _, result := range []string{"ok", "failed", "lost"} {
		w.leases.WithLabelValues(result)
	}
	for _, reason := range []string{"silent", "stranded"} {
		w.takeovers.WithLabelValues(reason)
	}
}

// RunStarted counts a run.
func (w *Worker) RunStarted() { w.started.WithLabelValues().Inc() }

// JobWaited takes note of how long a job has waited for its first run.
func (w *Worker) JobWaited(d time.Duration) { w.waited.WithLabelValues().Observe(d.Seconds()) }

// RunSucceeded counts a run whose job is done.
func (w *Worker) RunSucceeded(strategy transfer.Strategy, result transfer.Result) {
	how := []string{among(strategies, strategy), among(methods, result.Method)}
	w.ended.WithLabelValues(append([]string{succeeded}, how...)...).Inc()
	w.files.WithLabelValues(how...).Add(float64(result.Files))
	w.bytes.WithLabelValues(how...).Add(float64(result.Bytes))
	w.took.WithLabelValues(how...).Observe(result.Elapsed.Seconds())
	if result.Method != transfer.Rename && result.Bytes > 0 && result.Elapsed > 0 {
		w.throughput.WithLabelValues(how...).Observe(float64(result.Bytes) / result.Elapsed.Seconds())
	}
}

// RunEnded counts any other run, by the status that its job has then and the code of why.
func (w *Worker) RunEnded(status transfer.Status, strategy transfer.Strategy, code failure.Code) {
	result := resultOf(status, code)
	w.ended.WithLabelValues(result, orNone(strategies, strategy), none).Inc()
	if result == failed || result == retried {
		w.failures.WithLabelValues(among(failure.Codes(), code), strconv.FormatBool(result == retried)).Inc()
	}
}

func resultOf(status transfer.Status, code failure.Code) string {
	switch {
	case status == transfer.Failed:
		return failed
	case status == transfer.Cancelled:
		return cancelled
	case code == failure.LeaseLost:
		return lost
	case code == "":
		return interrupted
	}
	return retried
}

// Verified takes note of how long a proof took.
func (w *Worker) Verified(by transfer.Verify, took time.Duration) {
	w.verified.WithLabelValues(among([]transfer.Verify{transfer.Checksum, transfer.Size}, by)).Observe(took.Seconds())
}

// LeasesRenewed counts leases that a beat has renewed.
func (w *Worker) LeasesRenewed(n int) { w.leases.WithLabelValues("ok").Add(float64(n)) }

// LeasesNotRenewed counts leases that a beat could not renew.
func (w *Worker) LeasesNotRenewed(n int) { w.leases.WithLabelValues("failed").Add(float64(n)) }

// LeaseLost counts a lease that ended before its run.
func (w *Worker) LeaseLost() { w.leases.WithLabelValues("lost").Inc() }

// TakenOver counts a job whose worker had fallen silent.
func (w *Worker) TakenOver() { w.takeovers.WithLabelValues("silent").Inc() }

// Rewoken counts a job that waited for a River job that won't come.
func (w *Worker) Rewoken() { w.takeovers.WithLabelValues("stranded").Inc() }

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}
