package riverjobs

import (
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Meter counts what a worker does. Its methods return at once, and may be called from several goroutines.
type Meter interface {
	RunStarted()
	JobWaited(d time.Duration) // for its first run
	RunSucceeded(strategy transfer.Strategy, result transfer.Result)
	// RunEnded tells of any other end: the status that the job has then and, where it failed or is tried again, why. With
	// pending, no code says that the worker had to stop, and failure.LeaseLost that the run could not record its end. The strategy is empty
	// where none was decided.
	RunEnded(status transfer.Status, strategy transfer.Strategy, code failure.Code)
	Verified(by transfer.Verify, took time.Duration)

	LeasesRenewed(n int)
	LeasesNotRenewed(n int) // they are tried again, as long as they last
	LeaseLost()

	TakenOver() // a job whose worker had fallen silent
	Rewoken()   // a job that River and we disagreed about
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) RunStarted()                                               {}
func (unmetered) JobWaited(time.Duration)                                   {}
func (unmetered) RunSucceeded(transfer.Strategy, transfer.Result)           {}
func (unmetered) RunEnded(transfer.Status, transfer.Strategy, failure.Code) {}
func (unmetered) Verified(transfer.Verify, time.Duration)                   {}
func (unmetered) LeasesRenewed(int)                                         {}
func (unmetered) LeasesNotRenewed(int)                                      {}
func (unmetered) LeaseLost()                                                {}
func (unmetered) TakenOver()                                                {}
func (unmetered) Rewoken()                                                  {}

// countStart counts a run that was claimed. Jobs that ran before have waited for other things than a worker.
func (r *run) countStart() {
	r.worker.Meter.RunStarted()
	if r.job.Attempts == 1 && r.job.Takeovers == 0 {
		r.worker.Meter.JobWaited(r.job.StartedAt.Sub(r.job.QueuedAt))
	}
}

// countEnd counts how a run without success ended: err says that it could not record so.
func (r *run) countEnd(status transfer.Status, code failure.Code, err error) {
	if err != nil {
		status, code = transfer.Pending, failure.LeaseLost
	}
	r.worker.Meter.RunEnded(status, r.strategy, code)
}

// measure takes the figures of an event that are worth more than its own job.
func (r *run) measure(event transfer.Event) {
	if took, ok := event.Figures["seconds"].(float64); ok && event.Kind == transfer.EventVerified {
		r.worker.Meter.Verified(r.spec.Verify, time.Duration(took*float64(time.Second)))
	}
}
