package client

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

func TestATableIsPassedOnAsItIs(t *testing.T) {
	t.Parallel()
	const table = "id,mode\r\n7,copy\r\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/csv" || r.URL.Query().Get("mode") != "copy" {
			t.Errorf("%s as %s", r.URL, r.Header.Get("Accept"))
		}
		w.Header().Set("Link", `</stats/jobs-history?before=7>; rel="next"`)
		answers(200, "text/csv; charset=utf-8", table)(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	more, err := c.HistoryCSV(t.Context(), ListJobsHistoryParams{Mode: new(transfer.Copy)}, &out)
	if err != nil || !more || out.String() != table {
		t.Errorf("%q, %v, %v", out.String(), more, err)
	}
}

func TestWhatIsNoTableIsNotPassedOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer visit
		code   failure.Code
	}{
		"a problem": {answers(400, "application/problem+json", `{"code":"invalid_request","detail":"No."}`), failure.InvalidRequest},
		"JSON":      {answers(200, "application/json", `{"groups":[]}`), Unreachable},
		"a page":    {answers(200, "text/html", "<html>"), Unreachable},
		"cut off": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			answers(200, "text/csv", "id,")(w, r)
		}, Unreachable},
	} {
		server := httptest.NewServer(http.HandlerFunc(test.answer))
		t.Cleanup(server.Close)
		c, err := New(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := c.SummaryCSV(t.Context(), GetJobsSummaryParams{}, &out); failure.CodeOf(err) != test.code || strings.Contains(out.String(), "{") {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
}

// timed notes until when a request may take.
type timed struct{ until time.Time }

func (r *timed) RoundTrip(request *http.Request) (*http.Response, error) {
	r.until, _ = request.Context().Deadline()
	return nil, errors.New("nobody is there")
}

// The API takes up to two minutes for a plan, which counts a source.
func TestAPlanIsWaitedForUntilTheAPIGivesUp(t *testing.T) {
	t.Parallel()
	c, err := New("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	asked := &timed{}
	c.http.Transport = asked
	before := time.Now()
	if _, err := c.Plan(t.Context(), Order{}); failure.CodeOf(err) != Unreachable || asked.until.Sub(before) < 2*time.Minute {
		t.Errorf("it is waited for until %v, %v", asked.until, err)
	}
}

func TestAPlanIsAskedForWithoutSubmittingAnything(t *testing.T) {
	t.Parallel()
	answer := `{"dry_run":true,"ok":false,"problems":[{"code":"destination_exists","message":"m","path":null,"hint":"h"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]any
		err := json.NewDecoder(r.Body).Decode(&asked)
		want := map[string]any{"source_path": "/a", "destination_path": "/b", "mode": "copy", "dry_run": true}
		if err != nil || !maps.Equal(asked, want) || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("%v with the key %q (%v)", asked, r.Header.Get("Idempotency-Key"), err)
		}
		answers(200, "application/json", answer)(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	order := Order{SourcePath: "/a", DestinationPath: "/b", Mode: "copy", IdempotencyKey: "k"}
	if plan, err := c.Plan(t.Context(), order); err != nil || plan.OK || plan.Problems[0].Code != failure.DestinationExists {
		t.Errorf("%+v, %v", plan, err)
	}
	answer = `{"id":7,"status":"pending"}`
	if _, err := c.Plan(t.Context(), order); failure.CodeOf(err) != Unreachable {
		t.Errorf("a job instead of a plan: %v", err)
	}
}
