package riverjobs_test

import (
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/metrics"
)

// metered gives the bench's workers a meter, and returns what reads a figure of theirs, by its name and labels as they are told.
func (b *bench) metered() (figure func(series string) float64) {
	told := metrics.New("test")
	b.meter = told.Worker(func() int { return 0 })
	return func(series string) float64 {
		b.Helper()
		answer := httptest.NewRecorder()
		told.Handler(zerolog.Nop()).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		for line := range strings.Lines(answer.Body.String()) {
			if value, found := strings.CutPrefix(line, series+" "); found {
				n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				must(b.T, err)
				return n
			}
		}
		b.Fatalf("there is no %s", series)
		return 0
	}
}

// reaches waits for a figure: what is counted is counted after the commit that others see.
func (b *bench) reaches(figure func(string) float64, value float64, series string) {
	b.Helper()
	eventually(b.T, series, func() bool { return figure(series) == value })
}

func TestRunsAreCountedByWhatBecomesOfThem(t *testing.T) {
	b := setup(t)
	figure := b.metered()
	b.tree("few", 2)
	b.tree("many", zipAbove+1)
	b.start("w1")
	b.await(b.submit(b.spec("few", transfer.Copy, transfer.Direct)).ID, transfer.Success)
	b.await(b.submit(b.spec("many", transfer.Copy, transfer.Auto)).ID, transfer.Success)
	b.await(b.submit(b.spec("few", transfer.Copy, transfer.Direct)).ID, transfer.Failed) // it is there already
	b.await(b.submit(b.spec("missing", transfer.Copy, transfer.Auto)).ID, transfer.Failed)

	b.reaches(figure, 4, `ketter_runs_started_total`)
	b.reaches(figure, 1, `ketter_runs_ended_total{method="copy",result="success",strategy="DIRECT"}`)
	b.reaches(figure, 1, `ketter_runs_ended_total{method="archive",result="success",strategy="ZIP_FIRST"}`)
	b.reaches(figure, 1, `ketter_run_failures_total{code="destination_exists",retried="false"}`)
	b.reaches(figure, 1, `ketter_run_failures_total{code="source_not_found",retried="false"}`)
	b.reaches(figure, 2, `ketter_transferred_files_total{method="copy",strategy="DIRECT"}`)
	b.reaches(figure, 100*(zipAbove+1), `ketter_transferred_bytes_total{method="archive",strategy="ZIP_FIRST"}`)
	b.reaches(figure, 1, `ketter_run_duration_seconds_count{method="copy",strategy="DIRECT"}`)
	b.reaches(figure, 1, `ketter_run_throughput_bytes_per_second_count{method="archive",strategy="ZIP_FIRST"}`)
	b.reaches(figure, 2, `ketter_verification_seconds_count{verify="checksum"}`)
	b.reaches(figure, 4, `ketter_job_wait_seconds_count`)
}

func TestACancelledAndAnInterruptedRunAreNoFailures(t *testing.T) {
	b := setup(t)
	figure := b.metered()
	b.tree("take", 2)
	release := b.hold(transfer.EventVerified)
	stop := b.start("w1")
	cancelled := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	_, err := b.client.Cancel(t.Context(), cancelled.ID, "")
	must(t, err)
	b.await(cancelled.ID, transfer.Cancelled)
	b.reaches(figure, 1, `ketter_runs_ended_total{method="none",result="cancelled",strategy="DIRECT"}`)

	b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.awaitHeld()
	stop()
	release()
	b.reaches(figure, 1, `ketter_runs_ended_total{method="none",result="interrupted",strategy="DIRECT"}`)
	if n := figure(`ketter_run_failures_total{code="cancelled",retried="false"}`); n != 0 {
		t.Errorf("a cancel is counted as %v failures", n)
	}
}

func TestAFailureThatMayPassIsCountedAsTriedAgain(t *testing.T) {
	b := setup(t)
	figure := b.metered()
	b.tree("take", 2)
	mend := b.breaks("job_events", "INSERT", "NEW.kind = 'verified'")
	b.start("w1")
	job := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	b.reaches(figure, 1, `ketter_run_failures_total{code="internal",retried="true"}`)
	b.reaches(figure, 1, `ketter_runs_ended_total{method="none",result="retried",strategy="DIRECT"}`)
	mend()
	b.await(job.ID, transfer.Success)
}

func TestLeasesAndTakeoversAreCounted(t *testing.T) {
	b := setup(t)
	figure := b.metered()
	b.tree("take", 2)
	release := b.hold(transfer.EventVerified)
	dead := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	exec(t, b.store, "UPDATE river_job SET state = 'running', attempted_at = now()") // by the dead one
	b.dead(dead)
	b.start("w1")
	b.reaches(figure, 1, `ketter_takeovers_total{reason="silent"}`)
	b.awaitHeld()
	eventually(t, "a lease is renewed", func() bool { return figure(`ketter_lease_renewals_total{result="ok"}`) > 0 })
	exec(t, b.store, "UPDATE job_runs SET run_token = gen_random_uuid(), lease_expires_at = now() + interval '1 h'") // another's
	b.reaches(figure, 1, `ketter_lease_renewals_total{result="lost"}`)
	release()
	b.reaches(figure, 1, `ketter_runs_ended_total{method="none",result="lost",strategy="DIRECT"}`)
	if n := figure(`ketter_job_wait_seconds_count`); n != 0 {
		t.Errorf("%v jobs count as waited for a worker, and it had one that died", n)
	}
}

func TestAJobThatIsGivenAnotherRiverJobIsCounted(t *testing.T) {
	b := setup(t)
	figure := b.metered()
	b.lease = 200 * time.Millisecond
	b.tree("take", 2)
	job := b.submit(b.spec("take", transfer.Copy, transfer.Direct))
	exec(t, b.store, "DELETE FROM river_job")
	b.age()
	b.start("w1")
	b.await(job.ID, transfer.Success)
	b.reaches(figure, 1, `ketter_takeovers_total{reason="stranded"}`)
	if !exists(filepath.Join(b.to, "take")) {
		t.Error("nothing arrived")
	}
}
