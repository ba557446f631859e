package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/httpapi"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

func TestMethodNotAllowedNamesThoseThatAre(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Options{})
	for _, c := range []struct{ method, target, allow string }{
		{"PUT", "/jobs", "POST, GET, HEAD"},
		{"DELETE", "/jobs/1", "GET, HEAD"},
		{"POST", "/jobs/1", "GET, HEAD"},
		{"POST", "/jobs/1/detail", "GET, HEAD"},
		{"POST", "/jobs/1/events", "GET, HEAD"},
		{"GET", "/jobs/1/cancel", "POST"},
		{"OPTIONS", "/jobs/1/cancel", "POST"},
		{"DELETE", "/jobs/1/retry", "POST"},
		{"PATCH", "/stats/jobs-history", "GET, HEAD"},
		{"POST", "/readyz", "GET, HEAD"},
		{"OPTIONS", "/jobs", "POST, GET, HEAD"},
	} {
		a := send(api, c.method, c.target, "")
		a.isProblem(t, http.StatusMethodNotAllowed, "method_not_allowed")
		for _, method := range strings.Split(c.allow, ", ") {
			if !strings.Contains(a.Header.Get("Allow"), method) {
				t.Errorf("%s %s: Allow is %q, without %s", c.method, c.target, a.Header.Get("Allow"), method)
			}
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s lets other origins in", c.method, c.target)
		}
	}
}

func TestUnknownRouteIsNotFound(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Options{})
	for _, target := range []string{"/nothing", "/jobs/1/events/2", "/riverui/", "/stats", "/jobs//detail/x"} {
		send(api, "GET", target, "").isProblem(t, http.StatusNotFound, "not_found")
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Options{Version: "v1"})
	for _, target := range []string{"/", "/healthz", "/readyz", "/nothing"} {
		a := send(api, "GET", target, "")
		for name, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
	}
}

func TestRequestIDIsTheCallersIfFit(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Options{})
	for id, kept := range map[string]bool{
		"a": true, "Studio-7.b_9": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "two words": false, "a\"b": false, "é": false,
	} {
		got := send(api, "GET", "/healthz", "", "X-Request-Id", id).Header.Get("X-Request-Id")
		if (got == id) != kept || got == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestLogLineHasNoQuery(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	api := httpapi.New(httpapi.Options{Logger: zerolog.New(log)})
	send(api, "GET", "/nothing?token=hunter2", "", "X-Request-Id", "mine")
	for _, want := range []string{`"request_id":"mine"`, `"method":"GET"`, `"path":"/nothing"`, `"status":404`, `"seconds":`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the query is in the log: %s", log)
	}
}

func TestPanicIsAnsweredAsInternal(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	jobs := brokenJobs{saw: func(context.Context) { panic("a secret") }}
	a := send(httpapi.New(httpapi.Options{Jobs: jobs, Logger: zerolog.New(log)}), "GET", "/jobs", "")
	a.isProblem(t, http.StatusInternalServerError, "internal")
	if strings.Contains(string(a.body), "secret") || !strings.Contains(log.String(), "a secret") {
		t.Errorf("a panic belongs in the log, not in the answer: %s", a.body)
	}
}

func TestPanicInMidAnswerCutsTheConnection(t *testing.T) {
	t.Parallel()
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half an ans"))
		panic("a bug")
	})
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("net/http was told %v", cause)
		}
	}()
	send(httpapi.New(httpapi.Options{RiverUI: half}), "GET", "/riverui/", "")
}

func TestDatabaseDownIsUnavailable(t *testing.T) {
	t.Parallel()
	store, err := db.Open(t.Context(), "postgres://ketter:hunter2@127.0.0.1:1/ketter?sslmode=disable", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	client, err := riverjobs.NewClient(store, deaf{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{Submitter: client, Operator: client, Jobs: store, AllowedRoots: []string{"/data"}})
	for _, c := range []struct{ method, target string }{
		{"GET", "/jobs"}, {"GET", "/jobs/1"}, {"GET", "/jobs/1/detail"}, {"GET", "/jobs/1/events"}, {"GET", "/stats/jobs-history"},
		{"POST", "/jobs"}, {"POST", "/jobs/1/cancel"}, {"POST", "/jobs/1/retry"},
	} {
		sent := ""
		if c.target == "/jobs" {
			sent = body("", "")
		}
		a := send(api, c.method, c.target, sent)
		a.isProblem(t, http.StatusServiceUnavailable, "database_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s doesn't say when to come back", c.method, c.target)
		}
		for _, leak := range []string{"hunter2", "127.0.0.1", "connect", "pgx", "dial"} {
			if strings.Contains(string(a.body), leak) {
				t.Errorf("%s %s says %q: %s", c.method, c.target, leak, a.body)
			}
		}
	}
}

func TestDatabaseWorkHasADeadline(t *testing.T) {
	t.Parallel()
	jobs := brokenJobs{err: context.DeadlineExceeded, saw: func(ctx context.Context) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the database may take for ever")
		}
	}}
	api := httpapi.New(httpapi.Options{Jobs: jobs})
	for _, target := range []string{"/jobs", "/jobs/1", "/jobs/1/detail", "/jobs/1/events", "/stats/jobs-history", "/stats/summary"} {
		send(api, "GET", target, "").isProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	}
}

// sqlError is an error as PostgreSQL answers it.
type sqlError string

func (e sqlError) Error() string    { return "ERROR: a secret (SQLSTATE " + string(e) + ")" }
func (e sqlError) SQLState() string { return string(e) }

func TestRefusedStatementIsToldFromAServerThatCannotWork(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{
		sqlError("42P01"):     500, // undefined table
		sqlError("P0001"):     500, // raised
		sqlError("57P01"):     503, // shutting down
		sqlError("57P03"):     503, // starting up
		sqlError("57014"):     503, // cancelled
		sqlError("53300"):     503, // too many connections
		sqlError("08006"):     503,
		errors.New("closed"):  503,
		sqlError(""):          503,
		context.Canceled:      503,
		http.ErrServerClosed:  503,
		db.ErrNotFound:        404,
		errors.ErrUnsupported: 503,
	} {
		a := send(httpapi.New(httpapi.Options{Jobs: brokenJobs{err: err}}), "GET", "/jobs/1", "")
		if a.StatusCode != status || strings.Contains(string(a.body), "secret") {
			t.Errorf("%v: %d %s", err, a.StatusCode, a.body)
		}
	}
}
