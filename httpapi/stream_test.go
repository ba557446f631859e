package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/httpapi"
)

// running makes a job that runs, with its first two events, and returns where its stream is.
func (f *fixture) running() (id int64, path string) {
	f.t.Helper()
	id = f.insert("copy", noon())
	f.happen(id, "created")
	f.start(id, noon())
	f.happen(id, "started")
	return id, fmt.Sprintf("/jobs/%d/events", id)
}

func (f *fixture) finish(id int64) {
	f.t.Helper()
	f.happen(id, "finished")
	f.succeed(id, "DIRECT", "copy", noon())
}

func TestAStreamTellsHistoryThenEachEventOnceAndInOrderThenEnds(t *testing.T) {
	f := setup(t)
	hub := httpapi.NewHub()
	f.options.Streams = httpapi.Streams{Hub: hub, Poll: time.Millisecond}
	id, path := f.running()
	url := f.serve() + path
	listeners := []*listener{listenTo(t, url), listenTo(t, url), listenTo(t, url)}
	const writers, each = 4, 150 // more than one look returns
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				f.happen(id, "verified")
				hub.Wake(id)
			}
		})
	}
	writing.Go(func() { listeners = append(listeners, listenTo(t, url)) })
	writing.Wait()
	f.finish(id)
	hub.Wake(id)
	for _, l := range listeners {
		for seq := int64(1); seq <= 2+writers*each+1; seq++ {
			kind := map[int64]string{1: "created", 2: "started", 2 + writers*each + 1: "finished"}[seq]
			if kind == "" {
				kind = "verified"
			}
			if got := l.expect(kind).seq(t); got != seq {
				t.Fatalf("event %d came, not %d", got, seq)
			}
		}
		if m := l.expect("end"); m.data != `{"status":"success"}` || m.id != "" {
			t.Errorf("%+v", m)
		}
		l.ended()
	}
}

func TestAnEventInAStreamIsTheOneInTheDetail(t *testing.T) {
	f := setup(t)
	id, path := f.running()
	f.finish(id)
	var detail struct{ Events []json.RawMessage }
	if err := json.Unmarshal(f.get(fmt.Sprintf("/jobs/%d/detail", id)).body, &detail); err != nil {
		t.Fatal(err)
	}
	l := listenTo(t, f.serve()+path)
	if m, err := l.next(); err != nil || m.retry != "2000" {
		t.Errorf("the first message doesn't say when to come back: %+v, %v", m, err)
	}
	for i, kind := range []string{"created", "started", "finished"} {
		if m := l.expect(kind); m.data != string(detail.Events[i]) {
			t.Errorf("%s\nis not\n%s", m.data, detail.Events[i])
		}
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got := l.response.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestAnEventWhoseWakeWasLostComesWithThePoll(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond} // nobody wakes
	id, path := f.running()
	l := listenTo(t, f.serve()+path)
	l.expect("created")
	l.expect("started")
	f.happen(id, "published")
	l.expect("published")
}

func TestAWakeIsEnough(t *testing.T) {
	for name, wakeWhom := range map[string]func(int64) int64{
		"of the job": func(id int64) int64 { return id },
		"of all":     func(int64) int64 { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			hub := httpapi.NewHub()
			f.options.Streams = httpapi.Streams{Hub: hub, Poll: never}
			id, path := f.running()
			l := listenTo(t, f.serve()+path)
			l.expect("created")
			l.expect("started")
			f.happen(id, "published")
			hub.Wake(wakeWhom(id))
			l.expect("published")
		})
	}
}

// jobsThat calls after when a look has read and has not returned yet.
type jobsThat struct {
	*db.Store
	after func(looks int, err error) error
	looks int // of one stream: looks don't overlap
}

func (j *jobsThat) Follow(ctx context.Context, id, after int64, most int32) (db.Followed, error) {
	found, err := j.Store.Follow(ctx, id, after, most)
	j.looks++
	return found, j.after(j.looks, err)
}

func TestAnEventBetweenHistoryAndLiveIsNotLost(t *testing.T) {
	f := setup(t)
	hub := httpapi.NewHub()
	f.options.Streams = httpapi.Streams{Hub: hub, Poll: never}
	id, path := f.running()
	f.options.Jobs = &jobsThat{Store: f.store, after: func(looks int, err error) error {
		if looks == 1 {
			f.happen(id, "published")
			hub.Wake(id)
		}
		return err
	}}
	l := listenTo(t, f.serve()+path)
	l.expect("created")
	l.expect("started")
	l.expect("published")
}

func TestAStreamOutlastsTheDatabasesAbsence(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond, BeatAfter: time.Nanosecond}
	id, path := f.running()
	const absent = 20
	f.options.Jobs = &jobsThat{Store: f.store, after: func(looks int, err error) error {
		switch {
		case looks == 1 || looks > absent:
			return err
		case looks == absent:
			f.happen(id, "published")
		}
		return errors.New("not there")
	}}
	l := listenTo(t, f.serve()+path)
	l.expect("created")
	l.expect("started")
	l.expect("published")
	for _, once := range []string{"can't read their jobs", "can read their jobs again"} {
		if n := strings.Count(f.log.String(), once); n != 1 {
			t.Errorf("the log says %q %d times:\n%s", once, n, f.log)
		}
	}
}

func TestAStreamGoesOnAfterTheLastEventThatWasHad(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond}
	id, path := f.running()
	url := f.serve() + path
	l := listenTo(t, url, "Last-Event-ID", "1")
	l.expect("started")
	f.finish(id)
	l.expect("finished")
	l.expect("end")
	l.ended()
	if m := listenTo(t, url, "Last-Event-ID", "2").expect("finished"); m.id != "3" {
		t.Errorf("%+v", m)
	}
	listenTo(t, url, "Last-Event-ID", "0").expect("created")
}

func TestAStreamOfAnEndedJobThatWasHadWholeIsNoContent(t *testing.T) {
	f := setup(t)
	id, path := f.running()
	f.finish(id)
	if a := f.send("GET", path, "", "Last-Event-ID", "3"); a.StatusCode != http.StatusNoContent || len(a.body) > 0 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// An id that the job has not reached is of another one, or of a database that was restored since.
func TestAStreamBeginsAgainAfterAnEventThatNeverWas(t *testing.T) {
	f := setup(t)
	id, path := f.running()
	f.finish(id)
	url := f.serve() + path
	for _, last := range []string{"4", "9223372036854775807"} {
		listenTo(t, url, "Last-Event-ID", last).expect("created")
	}
}

func TestABadLastEventIDIsRefused(t *testing.T) {
	f := setup(t)
	_, path := f.running()
	for _, last := range []string{"", "x", "-1", "1.0", "+1", "9223372036854775808", strings.Repeat("1", 1000)} {
		p := f.send("GET", path, "", "Last-Event-ID", last).isProblem(t, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(p.Detail, "Last-Event-ID") {
			t.Error(p.Detail)
		}
	}
}

func TestAStreamEndsWhenItsJobIsDeleted(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond}
	id, path := f.running()
	l := listenTo(t, f.serve()+path)
	l.expect("created")
	l.expect("started")
	f.exec(`DELETE FROM jobs WHERE id = $1`, id)
	l.ended()
}

func TestTheHeadOfAStreamIsOneWithoutAStream(t *testing.T) {
	f := setup(t)
	f.options.Streams.Most = 1
	_, path := f.running()
	url := f.serve() + path
	for range 3 { // none of them holds a place
		response := get(t, http.MethodHead, url)
		if said, err := io.ReadAll(response.Body); err != nil || len(said) > 0 || response.StatusCode != http.StatusOK ||
			response.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s %s, %q, %v", response.Status, response.Header.Get("Content-Type"), said, err)
		}
	}
}
