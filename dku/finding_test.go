package dku

import (
	"context"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
)

func TestAFigureBecomesAWarningAndThenAFailure(t *testing.T) {
	t.Parallel()
	small, large := limits{warn: 20, fail: 500}, limits{warn: 100, fail: 10}
	for figure, want := range map[float64]Verdict{1: OK, 20: OK, 21: Warn, 500: Warn, 501: Fail} {
		if f := small.above(figure, "ms", "", ""); f.Verdict != want || *f.Figure != figure || f.Unit != "ms" {
			t.Errorf("%v: %+v", figure, f)
		}
	}
	for figure, want := range map[float64]Verdict{1000: OK, 100: OK, 99: Warn, 10: Warn, 9: Fail} {
		if f := large.below(figure, "files", "", ""); f.Verdict != want {
			t.Errorf("%v: %+v", figure, f)
		}
	}
}

func TestAHeartbeatIsStaleWhileRedisMayKeepItAndElseOfAnotherClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]Verdict{0: OK, 6 * time.Second: OK, 13 * time.Second: Fail, 16 * time.Second: Warn, time.Hour: Warn, -time.Minute: Warn} {
		if f := heartbeat(broker.Worker{Name: "w", Version: "v1", SeenAt: now.Add(-age)}, now, "v1"); f.Verdict != want {
			t.Errorf("%s old: %+v", age, f)
		}
	}
	if f := heartbeat(broker.Worker{Name: "w", Version: "v0", SeenAt: now}, now, "v1"); f.Verdict != Warn {
		t.Errorf("another version: %+v", f)
	}
}

func TestAQueueThatNobodyServesIsAFailure(t *testing.T) {
	t.Parallel()
	workers := []broker.Worker{{Name: "a", Queues: []string{"default", "lab"}}, {Name: "b", Queues: []string{"default"}}}
	for queue, want := range map[string]Verdict{"default": OK, "lab": OK, "nexis": Fail} {
		if f := covered(queue, 3, workers); f.Verdict != want || *f.Figure != 3 {
			t.Errorf("%s: %+v", queue, f)
		}
	}
}

func TestMigrationsOfAnotherVersionAreAFailureEitherWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		applied []int
		want    Verdict
	}{
		"current": {[]int{1, 2}, OK}, "missing": {[]int{1}, Fail}, "never made": {nil, Fail}, "newer": {[]int{1, 2, 3}, Fail},
	} {
		if f := migrations("The", test.applied, []int{1, 2}); f.Verdict != test.want {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestReadinessIsJudgedByWhatIsRequired(t *testing.T) {
	t.Parallel()
	type checks = []readyCheck
	for name, test := range map[string]struct {
		checks checks
		want   Verdict
	}{
		"all":      {checks{{Name: "postgres", Required: true, OK: true}, {Name: "redis", OK: true}}, OK},
		"optional": {checks{{Name: "postgres", Required: true, OK: true}, {Name: "redis"}}, Warn},
		"required": {checks{{Name: "postgres", Required: true}, {Name: "redis"}}, Fail},
		"none":     {nil, Fail},
	} {
		if f := (readiness{Checks: test.checks}).finding(); f.Verdict != test.want {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestAJobThatMustFailFailsWithItsOwnCodeAlone(t *testing.T) {
	t.Parallel()
	s, refused := &smoke{folders: []string{"/mnt/a"}}, trial{fails: failure.DestinationExists}
	for name, test := range map[string]struct {
		job  client.Job
		err  error
		want Verdict
	}{
		"refused":      {client.Job{Status: transfer.Failed, Error: &client.JobError{Code: failure.DestinationExists}}, nil, OK},
		"another code": {client.Job{Status: transfer.Failed, Error: &client.JobError{Code: failure.SourceNotFound}}, nil, Fail},
		"success":      {client.Job{Status: transfer.Success}, nil, Fail},
		"altered":      {client.Job{Status: transfer.Failed, Error: &client.JobError{Code: failure.DestinationExists}}, errAltered, Fail},
		"not seen":     {client.Job{Status: transfer.Failed, Error: &client.JobError{Code: failure.DestinationExists}}, context.DeadlineExceeded, Warn},
	} {
		if f := s.refused(t.Context(), refused, test.job, test.err); f.Verdict != test.want {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
