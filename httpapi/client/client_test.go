package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
)

// answering is a client of an API that answers all the same.
func answering(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func saying(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAProblemIsAFailureWithItsCode(t *testing.T) {
	t.Parallel()
	c := answering(t, saying(409, "application/problem+json",
		`{"type":"urn:ketter:problem:job_state","status":409,"detail":"Job 3 has ended.","code":"job_state","hint":"Look.","path":"/a"}`))
	_, err := c.Cancel(t.Context(), 3)
	var f *failure.Error
	if !errors.As(err, &f) || f.Code != "job_state" || f.Sentence() != "Job 3 has ended." || f.Advice() != "Look." || f.Path != "/a" {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNotKettersAnswerIsUnreachable(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"a page":           saying(200, "text/html", "<html>"),
		"half an answer":   saying(200, "application/json", `{"id":`),
		"another shape":    saying(200, "application/json", `[]`),
		"another problem":  saying(500, "application/problem+json", `{"title":"Oops"}`),
		"nothing":          saying(204, "", ""),
		"a redirect":       http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect).ServeHTTP,
		"cut off":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"more than enough": saying(200, "application/json", `{"status":"`+strings.Repeat("x", 16<<20)+`"}`),
	} {
		_, err := answering(t, handler).Retry(t.Context(), 3)
		if failure.CodeOf(err) != client.Unreachable || failure.From(err).Advice() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cancel(t.Context(), 3); failure.CodeOf(err) != client.Unreachable || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("%v", err)
	}
}

func TestACallerWhoGivesUpIsNotAnUnreachableAPI(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // who goes away is noticed only after that
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Cancel(ctx, 3); !errors.Is(err, context.Canceled) || failure.CodeOf(err) != failure.Cancelled {
		t.Errorf("%v", err)
	}
}

// The API refuses a post that is not declared as JSON, a body or none.
func TestAPostIsDeclaredAsJSON(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/jobs/3/retry" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s as %q", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		saying(200, "application/json; charset=utf-8", `{"id":3,"status":"pending","queue":"nexis","new_in_a_later_version":1}`)(w, r)
	})
	if job, err := c.Retry(t.Context(), 3); err != nil || job.ID != 3 || job.Status != "pending" || job.Queue != "nexis" {
		t.Errorf("%+v, %v", job, err)
	}
}

func TestTheAddressThatIsListenedAtIsReachedOnThisHost(t *testing.T) {
	t.Parallel()
	for listen, base := range map[string]string{
		"127.0.0.1:8000":   "http://127.0.0.1:8000",
		":8000":            "http://127.0.0.1:8000",
		"0.0.0.0:8000":     "http://127.0.0.1:8000",
		"[::]:8000":        "http://[::1]:8000",
		"[fe80::1]:8000":   "http://[fe80::1]:8000",
		"ketter.studio:80": "http://ketter.studio:80",
	} {
		if got := client.Base(listen); got != base {
			t.Errorf("%s is asked at %s, not %s", listen, got, base)
		}
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "127.0.0.1:8000", "ftp://host", "http://", "http://%zz", "/jobs"} {
		if _, err := client.New(base); failure.CodeOf(err) != failure.InvalidRequest {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestASubmittedJobLeavesToTheAPIWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if want := `{"destination_path":"/b","mode":"copy","source_path":"/a"}`; err != nil || string(body) != want || r.URL.Path != "/jobs" {
			t.Errorf("%s %s (%v)", r.URL, body, err)
		}
		saying(201, "application/json", `{"id":7,"status":"pending"}`)(w, r)
	})
	if job, err := c.Submit(t.Context(), client.Order{SourcePath: "/a", DestinationPath: "/b", Mode: "copy"}); err != nil || job.ID != 7 {
		t.Errorf("%+v, %v", job, err)
	}
}

func TestAFailedJobTellsWhy(t *testing.T) {
	t.Parallel()
	c := answering(t, saying(200, "application/json", `{"id":7,"status":"failed","strategy":"DIRECT","duration_seconds":0.5,
		"error":{"code":"destination_exists","message":"Destination already exists: /b/a","hint":"Rename it."}}`))
	job, err := c.Job(t.Context(), 7)
	if err != nil || job.Error == nil || *job.Error != (client.JobError{Code: failure.DestinationExists,
		Message: "Destination already exists: /b/a", Hint: "Rename it."}) || *job.DurationSeconds != 0.5 || *job.Strategy != "DIRECT" {
		t.Errorf("%+v, %v", job, err)
	}
}
