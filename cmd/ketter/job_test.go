package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/httpapi/client"
)

// posts answers each POST /jobs in turn, and keeps what it was asked.
type posts struct {
	answers []func(w http.ResponseWriter)
	keys    []string
}

func (p *posts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	p.keys = append(p.keys, r.Header.Get("Idempotency-Key"))
	p.answers[min(len(p.keys), len(p.answers))-1](w)
}

func brokenOff(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":12,"status":"pending","queue":"default","mode":"copy","source_path":"/a","destination_path":"/b"}`)
}

func createAt(t *testing.T, p *posts, args ...string) (out, errOut string, status int) {
	t.Helper()
	server := httptest.NewServer(p)
	defer server.Close() // which waits for the handlers
	return ketter(t, append([]string{"jobs", "create", "--from", "/a", "--to", "/b", "--mode", "copy", "--api", server.URL}, args...)...)
}

func TestAnAnswerThatWasLostIsAskedForAgainUnderTheSameKey(t *testing.T) {
	t.Parallel()
	p := &posts{answers: []func(http.ResponseWriter){brokenOff, accepted}}
	out, errOut, status := createAt(t, p)
	if status != 0 || !strings.HasPrefix(out, "Job 12 is pending in the queue default: copy /a to /b/a\n") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if len(p.keys) != 2 || p.keys[0] == "" || p.keys[0] != p.keys[1] {
		t.Errorf("the keys are %q", p.keys)
	}
}

func TestWhoeverGetsNoAnswerAtAllIsToldHowToFindTheJob(t *testing.T) {
	t.Parallel()
	p := &posts{answers: []func(http.ResponseWriter){brokenOff}}
	_, errOut, status := createAt(t, p, "--idempotency-key", "order-4711")
	if status != 1 || len(p.keys) < 2 || !strings.Contains(errOut, "with --idempotency-key order-4711 finds it, or submits it.") {
		t.Errorf("asked %d times, status %d\n%s", len(p.keys), status, errOut)
	}
}

func TestARefusalIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	p := &posts{answers: []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":"path_not_allowed","detail":"Outside.","hint":"Look."}`)
	}}}
	if _, errOut, status := createAt(t, p); status != 3 || len(p.keys) != 1 || strings.Contains(errOut, "idempotency") {
		t.Errorf("asked %d times, status %d\n%s", len(p.keys), status, errOut)
	}
}

func TestPagesAreAskedForUntilThereAreEnough(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--limit 3":                   "limit=3",
		"--limit 1001":                "limit=500 before=901&limit=500 before=801&limit=500 before=701&limit=500", // its pages are of 100
		"--all":                       "limit=500 before=901&limit=500 before=801&limit=500 before=701&limit=500",
		"--limit 150 --status failed": "limit=150&status=failed before=901&limit=50&status=failed",
	} {
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Query().Encode())
			next := fmt.Sprint(1001 - 100*len(asked))
			if len(asked) == 4 {
				next = "null"
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jobs":[%s{"id":1}],"next_before":%s}`, strings.Repeat(`{"id":2},`, 99), next)
		}))
		t.Cleanup(server.Close)
		_, errOut, status := ketter(t, append([]string{"jobs", "list", "--api", server.URL}, strings.Fields(args)...)...)
		if got := strings.Join(asked, " "); got != want || status != 0 {
			t.Errorf("%s: asked for %s, not %s\n%s", args, got, want, errOut)
		}
		if strings.Contains(errOut, "There are more: --before") != (len(asked) < 4) {
			t.Errorf("%s: %s", args, errOut)
		}
	}
}

func TestAnAPIThatGivesTheSamePageForEverIsLeft(t *testing.T) {
	t.Parallel()
	url, _ := api(t, 200, "application/json", `{"jobs":[{"id":7}],"next_before":7}`)
	if out, errOut, status := ketter(t, "jobs", "list", "--all", "--api", url); status != 1 || strings.Count(out, "\n") != 2 || !strings.Contains(errOut, "the same page") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
}

func TestATimeIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("BRT", -3*60*60)
	now := time.Date(2026, 5, 4, 12, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"24h": "2026-05-03T15:30:00Z", "7d": "2026-04-27T15:30:00Z", "90m": "2026-05-04T14:00:00Z", "0s": "2026-05-04T15:30:00Z",
		"2026-05-01": "2026-05-01T03:00:00Z", "2026-05-01T10:00:00Z": "2026-05-01T10:00:00Z", "2026-05-01T10:00:00-03:00": "2026-05-01T13:00:00Z",
		"yesterday": "", "-1h": "", "d": "", "-1d": "", "2026-13-01": "", "99999999d": "", "": "",
	} {
		got, err := momentOf(text, now)
		if said := got.UTC().Format(time.RFC3339); err == nil && said != want || err != nil && want != "" {
			t.Errorf("%q is %s (%v), not %q", text, said, err, want)
		}
	}
}

func TestALogIsToldNowAndThenHowFarAPhaseIs(t *testing.T) {
	t.Parallel()
	var out, log strings.Builder
	teller := &jobTeller{out: &out, err: &log, bar: liveBar{&log}, id: 12}
	begin := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for n, phase := range []string{"copying", "copying", "copying", "copying", "verifying"} {
		told := client.Progress{Phase: &phase, BytesDone: int64(n), BytesTotal: 10, UpdatedAt: begin.Add(time.Duration(n) * 4 * time.Second)}
		if err := teller.tell(client.Update{Progress: &told}); err != nil {
			t.Fatal(err)
		}
	}
	var phases []string
	for line := range strings.Lines(log.String()) {
		phases = append(phases, strings.Fields(line)[1]+" "+strings.Fields(line)[2])
	}
	if got := strings.Join(phases, ", "); got != "copying 0%, copying 30%, verifying 40%" || out.Len() > 0 {
		t.Errorf("%s\n%s", got, out.String())
	}
}

func TestWhatAJobTellsCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	var out, log strings.Builder
	evil := "\x1b[2J\u009b"
	teller := &jobTeller{out: &out, err: &log, bar: liveBar{&log}, id: 12, queue: evil}
	for _, u := range []client.Update{
		{Event: &client.Event{Seq: 1, Message: evil, Kind: "kind\x1b"}}, {Progress: &client.Progress{Phase: &evil}},
		{Lost: fmt.Errorf("lost %s", evil)},
	} {
		if err := teller.tell(u); err != nil {
			t.Fatal(err)
		}
	}
	var job client.JobDetail
	job.ID, job.Status, job.Verify = 12, "success", "v\x1b"
	job.SourcePath, job.DestinationPath, job.SourcePortal, job.DestinationPortal = "/"+evil, evil, &evil, &evil
	job.Error, job.Progress = &client.JobError{Message: evil}, &client.Progress{Phase: &evil}
	job.Events = []client.Event{{Message: evil, Actor: &evil}}
	if err := teller.finished(job); err != nil {
		t.Fatal(err)
	}
	if err := printJob(&out, job); err != nil {
		t.Fatal(err)
	}
	if said := out.String() + log.String(); strings.ContainsAny(said, "\x1b\u009b") || !strings.Contains(said, `\x1b[2J`) {
		t.Errorf("%q", said)
	}
}
