package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/testdb"
)

// api answers every request in the same way and tells where it is.
func api(t *testing.T, status int, contentType, answer string) (url string, asked func() string) {
	t.Helper()
	var last string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r.Method + " " + r.URL.Path
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL, func() string { return last }
}

func TestJobsSayInOneSentenceWhatBecameOfTheJob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ verb, status, says string }{
		{"cancel", "cancelled", "Job 12 is cancelled.\n"},
		{"cancel", "running", "Job 12 is told to stop; it is cancelled within a second.\n"},
		{"retry", "pending", "Job 12 is pending again, in the queue nexis.\n"},
	} {
		url, asked := api(t, 200, "application/json", fmt.Sprintf(`{"id":12,"status":%q,"queue":"nexis"}`, test.status))
		out, errOut, status := ketter(t, "jobs", test.verb, "12", "--api", url)
		if out != test.says || errOut != "" || status != 0 || asked() != "POST /jobs/12/"+test.verb {
			t.Errorf("%s: %q %q, status %d, asked %s", test.verb, out, errOut, status, asked())
		}
	}
}

func TestARefusalHasItsCodesExitStatus(t *testing.T) {
	t.Parallel()
	for code, status := range map[failure.Code]int{failure.JobState: failure.JobState.ExitStatus(), "not_found": 1} {
		url, _ := api(t, 409, "application/problem+json", fmt.Sprintf(`{"code":%q,"detail":"No \u001b[2J.","hint":"Look."}`, code))
		out, errOut, got := ketter(t, "jobs", "--api", url, "retry", "12")
		want := "ketter: No \\x1b[2J.\n  code: " + string(code) + "\n  hint: Look.\n"
		if got != status || out != "" || errOut != want {
			t.Errorf("status %d, not %d\n%s%s", got, status, out, errOut)
		}
	}
}

func TestJobsAskTheAPIThatKetterListenNames(t *testing.T) {
	url, _ := api(t, 200, "application/json", `{"id":12,"status":"cancelled"}`)
	t.Setenv("KETTER_LISTEN", strings.TrimPrefix(url, "http://"))
	if out, errOut, status := ketter(t, "jobs", "cancel", "12"); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	t.Setenv("KETTER_LISTEN", "127.0.0.1:1")
	_, errOut, status := ketter(t, "jobs", "cancel", "12")
	if status != 1 || !strings.Contains(errOut, "http://127.0.0.1:1 does not answer") || !strings.Contains(errOut, "code: api_unreachable") {
		t.Errorf("status %d\n%s", status, errOut)
	}
}

func TestAMistypedJobIsRefusedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"cancel"}, {"cancel", "1", "x"}, {"cancel", "x"}, {"retry", "0"}, {"retry", "-1"}, {"retry", "1.5"}, {"retry", "9223372036854775808"},
		{"cancel", "1", "--api", "127.0.0.1:8000"}, {"pause", "1"}, {"cancel", "1", "--force"},
	} {
		_, errOut, status := ketter(t, append([]string{"jobs"}, args...)...)
		if status != failure.InvalidRequest.ExitStatus() || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%v: status %d\n%s", args, status, errOut)
		}
	}
}

func TestAFailedJobIsTriedAgainFromTheCommandLine(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr())
	source := filepath.Join(s.root, "session")
	id := s.post(map[string]string{"source_path": source, "destination_path": filepath.Join(s.root, "out"), "mode": "copy"}).ID
	if j := s.finished(id); j.Error == nil || j.Error.Code != "source_not_found" {
		t.Fatalf("%+v", j)
	}
	makeFolder(t, source, 3)
	if _, errOut, status := ketter(t, "jobs", "retry", fmt.Sprint(id), "--api", s.url); status != 0 {
		t.Fatalf("status %d\n%s", status, errOut)
	}
	if j := s.finished(id); j.Status != "success" {
		t.Errorf("%+v", j)
	}
	sameTree(t, source, filepath.Join(s.root, "out", "session"))
	_, errOut, status := ketter(t, "jobs", "cancel", fmt.Sprint(id), "--api", s.url)
	if status != failure.JobState.ExitStatus() || !strings.Contains(errOut, "code: job_state") {
		t.Errorf("status %d\n%s", status, errOut)
	}
}
