package httpapi_test

import (
	"context"
	"net/http"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

// recorder keeps what would have been submitted.
type recorder struct{ submitted *transfer.Submission }

func (r *recorder) Submit(_ context.Context, submission transfer.Submission) (db.Job, bool, error) {
	r.submitted = &submission
	return db.Job{ID: 1, Mode: submission.Spec.Mode, Status: transfer.Pending, Priority: submission.Priority}, true, nil
}

// FuzzCreateJob: whatever is posted, the answer is a job or says what the caller did wrong, and what is submitted is fit
// for the database and for a worker.
func FuzzCreateJob(f *testing.F) {
	for _, c := range badBodies() {
		if len(c.body) < 1<<10 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(body("verify", `"none"`)))
	f.Add([]byte(body("source_path", `"/data/\ud83c\udfac"`)))
	f.Add([]byte(body("queue", `"nexis-2_b"`)))
	f.Add([]byte(body("priority", `4`)))
	f.Add([]byte(body("source_portal", `"LAB"`)))
	f.Add([]byte(body("destination_portal", `12`)))
	f.Fuzz(func(t *testing.T, sent []byte) {
		jobs := &recorder{}
		api := httpapi.New(httpapi.Options{Submitter: jobs, Portals: &keeper{}, AllowedRoots: []string{"/data"}})
		a := send(api, http.MethodPost, "/jobs", string(sent))
		if a.StatusCode == http.StatusCreated {
			checkSubmitted(t, *jobs.submitted)
			return
		}
		if jobs.submitted != nil {
			t.Errorf("submitted, and answered %d", a.StatusCode)
		}
		if a.StatusCode < 400 || a.StatusCode >= 500 || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %s: %s", a.StatusCode, a.Header.Get("Content-Type"), a.body)
		}
	})
}

func checkSubmitted(t *testing.T, submission transfer.Submission) {
	t.Helper()
	spec := submission.Spec
	for _, side := range []struct {
		path   string
		portal int64
	}{{spec.Source, spec.SourcePortal}, {spec.Destination, spec.DestinationPortal}} {
		p := side.path
		allowed := side.portal != 0 || p == "/data" || strings.HasPrefix(p, "/data/")
		if p != path.Clean(p) || !path.IsAbs(p) || !allowed || strings.Contains(p, "\x00") || !utf8.ValidString(p) {
			t.Errorf("submitted %q", p)
		}
	}
	if !spec.Mode.Valid() || !spec.Strategy.Valid() || !spec.Verify.Valid() || spec.SourcePortal == spec.DestinationPortal && spec.FinalPath() == spec.Source ||
		submission.Priority < 1 || submission.Priority > 4 {
		t.Errorf("submitted %+v", submission)
	}
}
