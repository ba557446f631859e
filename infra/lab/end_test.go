package lab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/redact"
	"github.com/ketter/ketter/infra/sample"
)

// refusing is a client of an API that answers as told, or with a problem of this status where the answer is empty.
func refusing(t *testing.T, status int, answer func(method, path string) string) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := answer(r.Method, r.URL.Path); text != "" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text))
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"code":"database_unavailable","detail":"The database does not answer"}`))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhoseLabsAreCutOffIsToldWhyAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	const why = "The small volume is gone"
	gone := failure.New(failure.DestinationNotFound, "", why)
	for name, test := range map[string]struct {
		err              error
		interrupted      bool
		portal           bool // which can't be deleted
		atLarge          []string
		code             failure.Code
		message, hint    string
		hintIsOfTheCause bool
	}{
		"all went well":       {},
		"an error":            {err: gone, code: failure.DestinationNotFound, message: why, hintIsOfTheCause: true},
		"interrupted":         {err: context.Canceled, interrupted: true, code: failure.Cancelled, message: "The labs were interrupted", hint: "What they made is removed"},
		"interrupted, failed": {err: gone, interrupted: true, code: failure.Cancelled, message: "The labs were interrupted: " + why, hint: "What they made is removed"},
		"something is left":   {portal: true, code: "database_unavailable", message: "The labs ended early", hint: "`ketter portals rm ketter_lab-X`"},
		"an error, and something is left": {err: gone, portal: true, code: failure.DestinationNotFound, message: "The labs ended early: " + why,
			hint: "See that no job of theirs runs, then remove "},
		"a job is at large": {err: gone, atLarge: []string{"job 7, from /a to /b"}, code: failure.DestinationNotFound, message: "The labs ended early: " + why,
			hint: "Nothing was removed, for this may still be at work there: job 7, from /a to /b. When it has ended, remove "},
	} {
		var said strings.Builder
		o := options(t, &said)
		l := &lab{Options: &o, api: refusing(t, http.StatusServiceUnavailable, func(string, string) string { return "" }), source: o.Source.at("x"),
			destination: o.Destination.at("x"), atLarge: test.atLarge}
		if test.portal {
			l.portal = "ketter_lab-X"
		}
		ctx, interrupt := context.WithCancel(t.Context())
		if test.interrupted {
			interrupt()
		}
		err := l.end(ctx, test.err)
		interrupt()
		if test.err == nil && test.message == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		f := failure.From(err)
		if f.Code != test.code || f.Message != test.message || !test.hintIsOfTheCause && !strings.Contains(f.Hint, test.hint) || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %s, %q, hint %q", name, f.Code, f.Message, f.Hint)
		}
	}
}

// Whatever happens to the job, it must find its folders, and nobody else may be told that they are free.
func TestTheFoldersOfAJobThatCanNotBeCancelledStay(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(method, path string) string{
		"job 7, from ": func(_, path string) string {
			if strings.HasSuffix(path, "/cancel") {
				return ""
			}
			return `{"id":7,"status":"running"}`
		},
		"a job, if it was taken, from ": func(string, string) string { return "" },
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		api := refusing(t, http.StatusServiceUnavailable, func(method, path string) string {
			if strings.HasPrefix(path, "/jobs/7") {
				interrupt()
			}
			return answer(method, path)
		})
		var said strings.Builder
		o := options(t, &said)
		_, err := Run(ctx, api, o)
		interrupt()
		hint := failure.From(err).Hint
		for _, side := range []Side{o.Source, o.Destination} {
			left, globErr := filepath.Glob(filepath.Join(side.Here, prefix+"*"))
			if globErr != nil || len(left) != 1 || !strings.Contains(hint, left[0]) {
				t.Errorf("%s: left %v (%v), hint %q", name, left, globErr, hint)
			}
		}
		if !strings.Contains(hint, name) || strings.Contains(said.String(), "Removed") {
			t.Errorf("%s: %v, hint %q\n%s", name, err, hint, said.String())
		}
	}
}

func TestWhatKilledLabsHaveLeftIsNamedAndStays(t *testing.T) {
	t.Parallel()
	api := asking(t, func(_, path string) string {
		if path == "/portals" {
			return `{"portals":[{"name":"NEXIS"},{"name":"ketter_lab-DEADDEAD"}]}`
		}
		return `{"id":7,"status":"failed","error":{"code":"source_not_found","message":"Source not found"}}`
	})
	var said strings.Builder
	o := options(t, &said)
	dead := []string{filepath.Join(o.Source.Here, "ketter_lab-DEADDEAD"), filepath.Join(o.Destination.Here, "ketter_lab-DEADDEAD")}
	if err := errors.Join(os.Mkdir(dead[0], 0o755), os.Mkdir(dead[1], 0o755), os.Mkdir(filepath.Join(o.Source.Here, "Session"), 0o755),
		os.Mkdir(filepath.Join(o.Source.Here, prefix+"'; rm x; '"), 0o755)); err != nil {
		t.Fatal(err)
	}
	_, _ = Run(t.Context(), api, o) // the worker sees other folders
	for _, want := range []string{"Warning: ", "rm -r '" + dead[0] + "'", "rm -r '" + dead[1] + "'", "ketter portals rm ketter_lab-DEADDEAD"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q isn't in\n%s", want, said.String())
		}
	}
	if strings.Contains(said.String(), "Session") || strings.Contains(said.String(), "rm x") || strings.Contains(said.String(), "rm NEXIS") || strings.Count(said.String(), "Warning") != 1 {
		t.Errorf("%s", said.String())
	}
	for _, folder := range dead {
		if !exists(folder) {
			t.Errorf("%s is gone", folder)
		}
	}
}

// What a job says may hold a file's name, and more than its host should have told.
func TestNothingThatAJobSaysSteersATerminalOrTellsASecret(t *testing.T) {
	t.Parallel()
	const steers, secret = "take\x1b]0;owned\a\u009b1m", "n33dle-of-db"
	message, err := json.Marshal("Not written: " + steers + " token=n33dle-of-job postgres://ketter:" + secret + "@db")
	if err != nil {
		t.Fatal(err)
	}
	api := asking(t, func(string, string) string {
		return `{"id":7,"status":"failed","error":{"code":"io_error","message":` + string(message) + `,"hint":` + string(message) + `}}`
	})
	var said strings.Builder
	o := options(t, &said)
	o.Redactor = redact.New([]string{"postgres://ketter:" + secret + "@db"})
	_, err = Run(t.Context(), api, o)
	f := failure.From(err)
	l := &lab{Options: &o, api: api, source: o.Source, destination: o.Destination}
	m, makeErr := l.make(t.Context(), dataset{"small", "src", sample.Of(1, 1)})
	_, problem, runErr := l.once(t.Context(), m, copies[0], l.destination, "")
	if makeErr != nil || runErr != nil {
		t.Fatal(makeErr, runErr)
	}
	l.expect("small", "a copy", problem)
	l.leave("small", "a copy of "+steers, steers+" password="+secret)
	l.say("copy: %s, raw: %s", problem, steers)
	all := f.Sentence() + f.Hint + said.String() + l.report.Markdown()
	if strings.ContainsAny(all, "\x1b\a\u009b") || strings.Contains(all, "n33dle") || strings.Count(all, `take\x1b]0;owned\x07\xc2\x9b1m`) < 6 {
		t.Errorf("%q", all)
	}
	if asJSON, err := json.Marshal(l.report); err != nil || strings.Contains(string(asJSON), "n33dle") {
		t.Errorf("%s, %v", asJSON, err)
	}
}
