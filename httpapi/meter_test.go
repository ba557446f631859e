package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ketter/ketter/httpapi"
)

// meterBook is a meter that keeps what it is told.
type meterBook struct {
	mu   sync.Mutex
	told []string
}

func (c *meterBook) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, fmt.Sprintf(format, args...))
}

func (c *meterBook) has(told string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.told, told)
}

func (c *meterBook) Answered(method, route string, status int) {
	c.tell("%s %s %d", method, route, status)
}
func (c *meterBook) Took(method, route string, _ time.Duration) { c.tell("%s %s took", method, route) }
func (c *meterBook) StreamOpened()                              { c.tell("opened") }
func (c *meterBook) StreamClosed()                              { c.tell("closed") }

func TestRequestsAreCountedByRouteAndNeverByPath(t *testing.T) {
	f := setup(t)
	meter := &meterBook{}
	f.options.Meter = meter
	f.get("/jobs/4711")
	f.get("/nothing/at/all")
	f.send("POST", "/healthz", "")
	f.send("POST", "/jobs", `{"source_path":"/data/a","destination_path":"/data/b","mode":"copy"}`)
	for _, want := range []string{"GET /jobs/:id 404", "GET  404", "POST  405", "POST /jobs 201", "POST /jobs took"} {
		if !meter.has(want) {
			t.Errorf("%q is not counted: %q", want, meter.told)
		}
	}
	for _, told := range meter.told {
		if strings.Contains(told, "4711") || strings.Contains(told, "nothing") {
			t.Errorf("a path is counted: %s", told)
		}
	}
}

// How long somebody listens says nothing of how fast the API is.
func TestALiveStreamIsCountedInAndOutAndNotTimed(t *testing.T) {
	f := setup(t)
	meter := &meterBook{}
	f.options.Meter = meter
	id := f.insert("copy", time.Now())
	f.start(id, time.Now())
	f.succeed(id, "DIRECT", "copy", time.Now())
	server := httptest.NewServer(httpapi.New(f.options))
	defer server.Close() // which waits for the answer's end
	answer, err := http.Get(fmt.Sprintf("%s/jobs/%d/events", server.URL, id))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err != nil { // it ends with its job
		t.Fatal(err)
	}
	server.Close()
	for _, want := range []string{"opened", "closed", "GET /jobs/:id/events 200"} {
		if !meter.has(want) {
			t.Errorf("%q is not counted: %q", want, meter.told)
		}
	}
	if meter.has("GET /jobs/:id/events took") {
		t.Error("a stream is timed")
	}
}

func TestMetricsAreServedWhereThereAreSome(t *testing.T) {
	f := setup(t)
	f.get("/metrics").isProblem(t, http.StatusNotFound, "not_found")
	f.options.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			t.Errorf("whoever tells them is out of time: %v", err)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("ketter_jobs 1\n"))
	})
	if a := f.get("/metrics"); a.StatusCode != http.StatusOK || string(a.body) != "ketter_jobs 1\n" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := f.get("/"); !strings.Contains(string(a.body), "GET /metrics") {
		t.Errorf("the list of routes lacks it: %s", a.body)
	}
}

// From a request one finds its job, and from a job the request that made it.
func TestARequestAndItsJobNameOneAnother(t *testing.T) {
	f := setup(t)
	h := httpapi.New(f.options)
	var made jobAnswer
	send(h, "POST", "/jobs", `{"source_path":"/data/a","destination_path":"/data/b","mode":"copy"}`, "X-Request-Id", "order-1").
		into(t, http.StatusCreated, &made)
	send(h, "POST", fmt.Sprintf("/jobs/%d/cancel", made.ID), "", "X-Request-Id", "order-2")
	send(h, "GET", "/portals/12", "", "X-Request-Id", "order-3")
	var asked string
	err := f.store.Pool().QueryRow(t.Context(), `SELECT payload ->> 'request_id' FROM job_events WHERE job_id = $1 AND kind = 'created'`, made.ID).Scan(&asked)
	if err != nil || asked != "order-1" {
		t.Errorf("the job's first event names %q, %v", asked, err)
	}
	for request, has := range map[string]bool{"order-1": true, "order-2": true, "order-3": false} {
		line := lineWith(f.log.String(), fmt.Sprintf(`"request_id":"%s"`, request))
		if line == "" || strings.Contains(line, fmt.Sprintf(`"job_id":%d`, made.ID)) != has {
			t.Errorf("%s: %s", request, line)
		}
	}
}

func lineWith(log, part string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
