package dku

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
)

func probing(t *testing.T, api string) *Probe {
	t.Helper()
	p := NewProbe(t.Context(), Target{API: api})
	t.Cleanup(p.Close)
	return p
}

func TestAJobIsWaitedForAsLongAsItsStorageIsSlowAndTheWholeAllows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &Probe{latency: map[string]time.Duration{}}
		s := &smoke{probe: p, folders: []string{"/mnt/a/folder"}}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		for each, want := range map[time.Duration]time.Duration{
			0: network, time.Millisecond: network, 100 * time.Millisecond: 10 * time.Second, 200 * time.Millisecond: 13 * time.Second, time.Minute: quick,
		} {
			p.noteLatency("/mnt/a", each)
			p.noteLatency("/mnt/b", time.Hour)
			if got := s.patience(ctx); got != want {
				t.Errorf("%v a file: %v, not %v", each, got, want)
			}
		}
	})
}

func TestAJobThatIsOnlySlowIsAWarningAndOneThatHangsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &smoke{probe: &Probe{}}
		running := client.Job{ID: 7, Status: transfer.Running}
		for name, test := range map[string]struct {
			job  sight
			want Verdict
			says string
		}{
			"moves":     {sight{Job: running, since: time.Now().Add(-time.Second)}, Warn, "it is slow"},
			"hangs":     {sight{Job: running, since: time.Now().Add(-stillAfter)}, Fail, "is running after 9s"},
			"waits":     {sight{Job: client.Job{ID: 7, Status: transfer.Pending}, since: time.Now()}, Fail, "is pending after 9s"},
			"not taken": {sight{}, Fail, "did not take the job"},
		} {
			if f := s.late(test.job, network); f.Verdict != test.want || !strings.Contains(f.Message, test.says) || f.Advice == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		s.noteMoving(sight{Job: running, since: time.Now()})
		if f := s.late(sight{Job: client.Job{ID: 8, Status: transfer.Pending}}, network); f.Verdict != Warn || !strings.Contains(f.Message, "behind others") {
			t.Errorf("%+v", f)
		}
		time.Sleep(stillAfter)
		s.probe.noteWorkers([]broker.Worker{{Name: "w", Running: 2}}, time.Now())
		if f := s.late(sight{Job: client.Job{ID: 7, Status: transfer.Pending}}, network); f.Verdict != Warn {
			t.Errorf("%+v", f)
		}
	})
}

// The API says the same three times, then more, then that it is done.
func TestWhoWaitsForAJobSeesItsProgressMove(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		switch {
		case asked == 1:
			fmt.Fprint(w, `{"id":7,"status":"running","progress":null}`)
		case asked <= 4:
			fmt.Fprint(w, `{"id":7,"status":"running","progress":{"phase":"copying","files_done":1}}`)
		default:
			fmt.Fprint(w, `{"id":7,"status":"success","files_copied":7}`)
		}
	}))
	defer server.Close()
	seen, err := probing(t, server.URL).smoke.await(t.Context(), 7)
	if err != nil || seen.Status != transfer.Success || seen.FilesCopied != 7 || asked != 5 {
		t.Errorf("%+v, %v, asked %d times", seen, err, asked)
	}
	began := time.Now()
	first := sight{Job: client.Job{Status: transfer.Running}, Progress: copying(1)}.after(sight{}, began)
	same := sight{Job: first.Job, Progress: copying(1)}.after(first, began.Add(time.Second))
	more := sight{Job: first.Job, Progress: copying(2)}.after(same, began.Add(2*time.Second))
	if !first.since.Equal(began) || !same.since.Equal(began) || !more.since.Equal(began.Add(2*time.Second)) {
		t.Errorf("%v, %v, %v", first.since, same.since, more.since)
	}
}

func copying(files int64) *client.Progress {
	return &client.Progress{Phase: new("copying"), FilesDone: files}
}

// A FIFO that nobody writes to hangs who reads it, as a storage does that is gone.
func TestLookingAtWhatARefusedJobLeftEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "folder")
	if err := makeTrees(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	s := &smoke{folders: []string{folder}}
	if err := s.checkUntouched(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent := filepath.Join(folder, "to", "exists", "empty.txt")
	if err := errors.Join(os.Remove(silent), syscall.Mkfifo(silent, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.checkUntouched(ctx)
	if f := s.refused(ctx, trials[3], client.Job{ID: 7, Status: transfer.Failed, Error: &client.JobError{Code: trials[3].fails}}, err); !errors.Is(err, context.DeadlineExceeded) || f.Verdict != Warn || !strings.Contains(f.Message, "NOT DONE") {
		t.Errorf("%v: %+v", err, f)
	}
	if writer, err := os.OpenFile(silent, os.O_RDWR, 0); err != nil { // who reads it goes on
		t.Error(err)
	} else {
		writer.Close()
	}
}

func TestACheckMayUseWhatThoseBeforeItHaveLeftOfTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := func(deadline, until time.Duration) (ended time.Duration) {
			began := time.Now()
			runAll(t.Context(), []Check{
				{ID: "a.a", Deadline: time.Minute, Run: one(func(context.Context) Finding { time.Sleep(2 * time.Second); return ok("") })},
				{ID: "a.b", Deadline: deadline, Until: until, Needs: []string{"a.a"}, Run: one(func(ctx context.Context) Finding {
					<-ctx.Done()
					ended = time.Since(began)
					return ok("")
				})},
			})
			return ended
		}
		if early, late := until(time.Second, 10*time.Second), until(9*time.Second, 10*time.Second); early != 10*time.Second || late != 11*time.Second {
			t.Errorf("%v, %v", early, late)
		}
	})
}
