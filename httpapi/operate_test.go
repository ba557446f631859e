package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ketter/ketter/httpapi"
)

// submit posts a good job and returns it.
func (f *fixture) submit(sent string, header ...string) (job jobAnswer) {
	f.t.Helper()
	f.send("POST", "/jobs", sent, header...).into(f.t, http.StatusCreated, &job)
	return job
}

func TestAJobSaysItsQueueAndPriority(t *testing.T) {
	f := setup(t)
	for sent, want := range map[string]jobAnswer{
		body("", ""):                          {Queue: "default", Priority: 2},
		body("queue", `"nexis-2_b"`):          {Queue: "nexis-2_b", Priority: 2},
		body("priority", `1`):                 {Queue: "default", Priority: 1},
		body("priority", "4,\"queue\":\"q\""): {Queue: "q", Priority: 4},
		body("queue", `"`+longestQueue()+`"`): {Queue: longestQueue(), Priority: 2},
	} {
		posted := f.submit(sent)
		var shown jobAnswer
		f.get(fmt.Sprintf("/jobs/%d", posted.ID)).into(t, http.StatusOK, &shown)
		for _, job := range []jobAnswer{posted, shown} {
			if job.Queue != want.Queue || job.Priority != want.Priority || job.Attempts != 0 {
				t.Errorf("%s became %+v", sent, job)
			}
		}
	}
}

func longestQueue() string { return strings.Repeat("q", 64) }

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	f := setup(t)
	first := f.submit(body("", ""), "Idempotency-Key", "order 7/b")
	again := f.send("POST", "/jobs", body("", ""), "Idempotency-Key", "order 7/b")
	var second jobAnswer
	again.into(t, http.StatusOK, &second)
	if second.ID != first.ID || again.Header.Get("Location") != fmt.Sprintf("/jobs/%d", first.ID) {
		t.Errorf("job %d, then %d at %s", first.ID, second.ID, again.Header.Get("Location"))
	}
	f.send("POST", "/jobs", body("mode", `"move"`), "Idempotency-Key", "order 7/b").isProblem(t, http.StatusConflict, "idempotency_key_reused")
	if other := f.submit(body("", ""), "Idempotency-Key", "order 8"); other.ID == first.ID {
		t.Error("another key is another job")
	}
	if n := f.count("jobs"); n != 2 {
		t.Errorf("%d jobs", n)
	}
}

func TestTheSameKeyAtTheSameTimeIsOneJob(t *testing.T) {
	f := setup(t)
	api := httpapi.New(f.options)
	answers := make([]answer, 8)
	var posting sync.WaitGroup
	for i := range answers {
		posting.Go(func() { answers[i] = send(api, "POST", "/jobs", body("", ""), "Idempotency-Key", "k") })
	}
	posting.Wait()
	created := 0
	for _, a := range answers {
		switch a.StatusCode {
		case http.StatusCreated:
			created++
		case http.StatusOK:
		default:
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
	if n := f.count("jobs"); n != 1 || created != 1 {
		t.Errorf("%d jobs, %d of them created", n, created)
	}
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	f := setup(t)
	api := httpapi.New(f.options)
	for _, keys := range [][]string{{""}, {" a"}, {"a "}, {"a\tb"}, {"é"}, {"a\x7f"}, {strings.Repeat("k", 256)}, {"a", "a"}, {"a", "b"}} {
		r := httptest.NewRequest("POST", "/jobs", strings.NewReader(body("", "")))
		r.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": keys}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		a := answer{w.Result(), w.Body.Bytes()}
		if p := a.isProblem(t, http.StatusBadRequest, "invalid_request"); !strings.Contains(p.Detail, "Idempotency-Key") {
			t.Errorf("%q: %s", keys, p.Detail)
		}
	}
	f.nothingInserted()
	f.submit(body("", ""), "Idempotency-Key", strings.Repeat("~", 255))
}

func TestCancelAndRetryAnswerWithTheJob(t *testing.T) {
	f := setup(t)
	id := f.submit(body("", "")).ID
	for _, step := range []struct {
		route, body, status string
	}{
		{"cancel", "", "cancelled"},
		{"cancel", "{}", "cancelled"}, // twice is fine
		{"retry", " {} ", "pending"},
		{"cancel", "", "cancelled"},
		{"retry", "", "pending"},
	} {
		var job jobAnswer
		f.send("POST", fmt.Sprintf("/jobs/%d/%s", id, step.route), step.body).into(t, http.StatusOK, &job)
		if job.ID != id || job.Status != step.status {
			t.Errorf("%s: %+v", step.route, job)
		}
	}
	f.send("POST", fmt.Sprintf("/jobs/%d/retry", id), "").isProblem(t, http.StatusConflict, "job_state")
	f.start(id, noon())
	f.succeed(id, "DIRECT", "copy", noon())
	for _, route := range []string{"cancel", "retry"} {
		f.send("POST", fmt.Sprintf("/jobs/%d/%s", id, route), "").isProblem(t, http.StatusConflict, "job_state")
	}
}

// A page of another origin can post without a body, or with one of these types, without asking the API first.
func TestWhatAnyWebPageCanPostChangesNothing(t *testing.T) {
	f := setup(t)
	id := f.submit(body("", "")).ID
	target := fmt.Sprintf("/jobs/%d/cancel", id)
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; application/json"} {
		for _, sent := range []string{"", "{}"} {
			f.send("POST", target, sent, "Content-Type", contentType).isProblem(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
	}
	for _, sent := range []string{`{"force":true}`, `[]`, `null`, `x`, "{}{}", "\xff"} {
		f.send("POST", target, sent).isProblem(t, http.StatusBadRequest, "invalid_request")
	}
	f.send("POST", target, strings.Repeat(" ", 1<<20+1)).isProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	f.send("POST", target+"?now=1", "").isProblem(t, http.StatusBadRequest, "invalid_request")
	f.send("POST", "/jobs/x/cancel", "").isProblem(t, http.StatusBadRequest, "invalid_request")
	var job jobAnswer
	if f.get(fmt.Sprintf("/jobs/%d", id)).into(t, http.StatusOK, &job); job.Status != "pending" {
		t.Errorf("the job is %s", job.Status)
	}
}
