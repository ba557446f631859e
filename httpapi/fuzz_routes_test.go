package httpapi_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/httpapi"
)

// nothing is a database that holds no job and no portal.
type nothing struct {
	keeper
	recorder
}

func (*nothing) Jobs(context.Context, db.JobFilter) ([]db.Job, error) { return nil, nil }

func (*nothing) JobWithProgress(context.Context, int64) (db.Followed, error) {
	return db.Followed{}, db.ErrNotFound
}

func (*nothing) Follow(context.Context, int64, int64, int32) (db.Followed, error) {
	return db.Followed{}, db.ErrNotFound
}

func (*nothing) Summary(context.Context, db.SummaryFilter) ([]db.SummaryGroup, error) {
	return nil, nil
}

func (*nothing) Cancel(context.Context, int64, string) (db.Job, error) {
	return db.Job{}, db.ErrNotFound
}

func (*nothing) Retry(context.Context, int64, string) (db.Job, error) {
	return db.Job{}, db.ErrNotFound
}

func (*nothing) Portals(context.Context) ([]db.Portal, error) { return nil, nil }

func (*nothing) Portal(context.Context, int64) (db.Portal, error) { return db.Portal{}, db.ErrNotFound }

func (*nothing) PortalNamed(context.Context, string) (db.Portal, error) {
	return db.Portal{}, db.ErrNotFound
}

// FuzzEveryRoute: whatever is asked, the answer is one that the contract knows and no fault of ours, and what is recorded is fit for
// the database and for a worker.
func FuzzEveryRoute(f *testing.F) {
	for _, r := range slices.Concat(httpapi.GoodRequests(), httpapi.BadRequests()) {
		if len(r.Body) < 1<<10 {
			f.Add(r.Method, r.Target, []byte(r.Body), "application/json")
		}
	}
	f.Add("HEAD", "/jobs", []byte(nil), "")
	f.Add("OPTIONS", "*", []byte(nil), "")
	f.Add("GET", "//jobs/../portals/%2e%2e/x", []byte(nil), "")
	f.Fuzz(func(t *testing.T, method, target string, body []byte, contentType string) {
		address, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http refuses it
		}
		request, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/", bytes.NewReader(body))
		if err != nil {
			return
		}
		request.URL, request.RequestURI = address, target
		request.Header.Set("Content-Type", contentType)
		seen := &nothing{}
		recorded := httptest.NewRecorder()
		httpapi.New(httpapi.Options{
			Submitter: seen, Operator: seen, Jobs: seen, Portals: seen, Credentials: &vault{}, AllowedRoots: []string{"/data"},
			Access: httpapi.Access{Loopback: true},
		}).ServeHTTP(recorded, request)
		a := recorded.Result()
		if a.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %q: %d %s", method, target, a.StatusCode, recorded.Body)
		}
		if err := httpapi.CheckAnswer(method, address.Path, a, recorded.Body.Bytes()); err != nil {
			t.Error(err)
		}
		if seen.submitted != nil {
			checkSubmitted(t, *seen.submitted)
		}
		if seen.kept {
			checkPortal(t, seen.made)
		}
	})
}
