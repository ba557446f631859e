package dku

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/infra/redact"
)

// runAll runs checks and returns their findings by id.
func runAll(ctx context.Context, checks []Check) map[string]Finding {
	found := map[string]Finding{}
	Run(ctx, checks, redact.Redactor{}, func(findings []Finding) {
		for _, f := range findings {
			found[f.ID] = f
		}
	})
	return found
}

func saying(f Finding) func(context.Context) []Finding {
	return one(func(context.Context) Finding { return f })
}

func TestACheckWhoseNeedHasFailedIsNotRunAndSaysSo(t *testing.T) {
	t.Parallel()
	ran := false
	found := runAll(t.Context(), []Check{
		{ID: "a.b", Deadline: time.Second, Needs: []string{"a.a"}, Run: one(func(context.Context) Finding { ran = true; return ok("") })},
		{ID: "a.a", Deadline: time.Second, Run: saying(fail("dead", "mend it"))},
		{ID: "a.c", Deadline: time.Second, After: []string{"a.a"}, Run: saying(ok("all the same"))},
	})
	if ran || found["a.b"].Verdict != Warn || !strings.Contains(found["a.b"].Message, "a.a") || found["a.b"].Advice == "" {
		t.Errorf("%+v", found["a.b"])
	}
	if found["a.c"].Verdict != OK || found["a.a"].Group != "a" {
		t.Errorf("%+v", found)
	}
}

// A warning doesn't hold up what stands on it: with Redis down jobs run, and so does the smoke test.
func TestACheckRunsAfterAWarning(t *testing.T) {
	t.Parallel()
	found := runAll(t.Context(), []Check{
		{ID: "a.a", Deadline: time.Second, Run: saying(warn("odd", "look"))},
		{ID: "a.b", Deadline: time.Second, Needs: []string{"a.a"}, Run: saying(ok("fine"))},
	})
	if found["a.b"].Verdict != OK {
		t.Errorf("%+v", found)
	}
}

func TestACheckThatHeedsNoDeadlineIsLeftBehindWithAVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		began := time.Now()
		found := runAll(t.Context(), []Check{
			{ID: "a.hangs", Deadline: time.Second, Run: one(func(context.Context) Finding { <-release; return ok("") })},
			{ID: "a.after", Deadline: time.Second, Needs: []string{"a.follows"}, Run: saying(ok(""))},
			{ID: "a.follows", Deadline: time.Second, Needs: []string{"a.hangs"}, Run: saying(ok(""))},
		})
		if found["a.hangs"].Verdict != Fail || found["a.follows"].Verdict != Warn || found["a.after"].BlockedBy != "a.hangs" || time.Since(began) != time.Second+grace {
			t.Errorf("after %s: %+v", time.Since(began), found)
		}
		close(release)
	})
}

func TestAnInterruptedRunBeginsNothingMoreButClearsAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cleared := false
	found := runAll(ctx, []Check{
		{ID: "a.a", Deadline: time.Second, Run: one(func(context.Context) Finding { cancel(); return ok("") })},
		{ID: "a.b", Deadline: time.Second, After: []string{"a.a"}, Run: saying(ok(""))},
		{ID: "a.clear", Deadline: time.Second, After: []string{"a.b"}, Always: true, Run: one(func(ctx context.Context) Finding {
			cleared = ctx.Err() == nil
			return ok("")
		})},
	})
	if !cleared || found["a.b"].Verdict != Warn {
		t.Errorf("cleared: %v, %+v", cleared, found)
	}
}

func TestTwoChecksWithOneKeyAreBothRun(t *testing.T) {
	t.Parallel()
	ran := 0
	twice := Check{ID: "a.a", Subject: "/mnt", Deadline: time.Minute, Run: saying(ok(""))}
	Run(t.Context(), []Check{twice, twice, {ID: "a.b", Deadline: time.Minute, Needs: []string{"a.a /mnt"}, Run: saying(ok(""))}},
		redact.Redactor{}, func([]Finding) { ran++ })
	if ran != 3 {
		t.Errorf("%d of 3 ran", ran)
	}
}

func TestFindingsAreToldOneCheckAtATime(t *testing.T) {
	t.Parallel()
	var checks []Check
	for i := range 50 {
		checks = append(checks, Check{ID: fmt.Sprintf("a.n%d", i), Deadline: time.Minute, Run: saying(ok(""))})
	}
	var telling sync.Mutex
	told := 0
	Run(t.Context(), checks, redact.Redactor{}, func([]Finding) {
		if !telling.TryLock() {
			t.Error("two at a time")
			return
		}
		defer telling.Unlock()
		told++
	})
	if told != len(checks) {
		t.Errorf("%d of %d were told", told, len(checks))
	}
}

// What a run takes is not measured: the deadlines are what bounds it, and they add up to less than the limit.
func TestAllDeadlinesTogetherAreBelowTheLimit(t *testing.T) {
	t.Parallel()
	p := NewProbe(t.Context(), Target{API: "http://127.0.0.1:1", Roots: []string{"/a", "/b", "/c"}})
	defer p.Close()
	if longest := Longest(p.Checks()); longest > Limit-closing {
		t.Errorf("the checks may take %s", longest)
	}
}

func TestEveryCheckWaitsForChecksThatThereAre(t *testing.T) {
	t.Parallel()
	p := NewProbe(t.Context(), Target{API: "http://127.0.0.1:1", Roots: []string{"/a", "/b"}})
	defer p.Close()
	byKey := map[string]Check{}
	for _, c := range p.Checks() {
		if _, twice := byKey[c.key()]; twice || c.Deadline <= 0 {
			t.Errorf("%s is there twice, or has no deadline", c.key())
		}
		byKey[c.key()] = c
	}
	for name, c := range byKey {
		for _, before := range c.before() {
			if _, there := byKey[before]; !there {
				t.Errorf("%s waits for %s, which is not there", name, before)
			}
		}
	}
}

func TestTheFolderOfACheckThatHangsIsNamed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	p := NewProbe(t.Context(), Target{API: "http://127.0.0.1:1"})
	defer p.Close()
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- p.scratch.in(root, func(endpoint.Dir) error { close(begun); <-release; return nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := p.scratch.removed(ctx); f.Verdict != Fail || !strings.Contains(f.Advice, filepath.Join(root, ScratchPrefix)) {
		t.Errorf("%+v", f)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if f := p.scratch.removed(t.Context()); f.Verdict != OK {
		t.Errorf("%+v", f)
	}
}
