package soak

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	atOnce  = 3                // jobs
	patient = 10 * time.Minute // how long jobs may go on once nothing disturbs them: a retry may wait minutes
	tick    = 50 * time.Millisecond
)

// After whatever happens every job's outcome is right, and the processes hold no more than before.
func TestJobsBetweenTwoHostsForAWhile(t *testing.T) {
	t.Parallel()
	s := setup(t)
	whole := duration(t)
	s.long = whole >= 5*time.Minute
	s.part("wild", whole*2/5, append(small(), (*soak).killWorker))
	before := s.level()
	s.Logf("before the long part: %v", before)
	s.part("long", whole*3/5, small())
	after := s.level()
	s.Logf("after it: %v", after)
	kept := pooled
	if s.long {
		kept = 0
	}
	for _, complaint := range after.above(before, kept) {
		t.Error(complaint)
	}
	s.nothingElse()
	s.Logf("%s", s.summary())
}

func duration(t *testing.T) time.Duration {
	t.Helper()
	asked := os.Getenv("KETTER_SOAK")
	if asked == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(asked)
	must(t, err)
	return d
}

// part has jobs run for a time, and lets faults happen; then it waits for what still runs.
func (s *soak) part(name string, lasts time.Duration, faults []fault) {
	s.Helper()
	ends := time.Now().Add(lasts)
	nextFault, nextSample := time.Now().Add(s.untilFault()), time.Now()
	for time.Now().Before(ends) {
		for len(s.running) < atOnce {
			s.submit()
		}
		if now := time.Now(); now.After(nextFault) {
			s.strike(faults)
			nextFault = time.Now().Add(s.untilFault())
		}
		if now := time.Now(); now.After(nextSample) {
			s.Logf("%s: %d jobs have ended; %v", name, s.ended, s.look())
			nextSample = now.Add(max(5*time.Second, lasts/20))
		}
		s.settle()
		time.Sleep(tick)
	}
	s.relieve()
	for deadline := time.Now().Add(patient); len(s.running) > 0; time.Sleep(tick) {
		if s.settle(); time.Now().After(deadline) {
			s.Fatalf("%d jobs don't end, the first: %s", len(s.running), s.told(s.running[0]))
		}
	}
}

// settle looks at what runs, and judges what has ended.
func (s *soak) settle() {
	s.Helper()
	s.running = slices.DeleteFunc(s.running, func(j *job) bool {
		s.nothingPartial(j)
		ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
		defer cancel()
		found, err := s.ketter.API.Job(ctx, j.id)
		must(s.T, err)
		if !found.Ended() {
			return false
		}
		s.judge(j)
		return true
	})
}

// summary is how often which kind of job ended how.
func (s *soak) summary() string {
	var lines []string
	for _, outcome := range slices.Sorted(maps.Keys(s.outcomes)) {
		lines = append(lines, fmt.Sprintf("%4d × %s", s.outcomes[outcome], outcome))
	}
	return fmt.Sprintf("%d jobs, %d attempts; %d faults; %d MiB to SRVTRF and %d MiB from it, over %d connections; outcomes:\n%s\n%s",
		s.ended, s.attempts, len(s.deeds), s.link.Up.Load()>>20, s.link.Down.Load()>>20, s.link.Taken.Load(), strings.Join(lines, "\n"), strings.Join(s.deeds, "\n"))
}
