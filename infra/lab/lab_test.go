package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// asking is a client of an API that answers as told.
func asking(t *testing.T, answer func(method, path string) string) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, answer(r.Method, r.URL.Path))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func options(t *testing.T, said *strings.Builder) Options {
	in, out := t.TempDir(), t.TempDir()
	return Options{Source: Side{Path: in, Here: in}, Destination: Side{Path: out, Here: out}, Only: []string{"small"}, SmallFiles: 1, Rounds: 1,
		KeepCaches: true, JobTimeout: time.Hour, Progress: said}
}

func nothingLeft(t *testing.T, o Options) {
	t.Helper()
	for _, side := range []Side{o.Source, o.Destination} {
		if left, err := os.ReadDir(side.Here); err != nil || len(left) > 0 {
			t.Errorf("%v is left (%v)", left, err)
		}
	}
}

func TestWhoInterruptsTheLabsFindsTheJobCancelledAndTheFoldersGone(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	status, asked := "running", []string{}
	api := asking(t, func(method, path string) string {
		switch asked = append(asked, method+" "+path); {
		case strings.HasSuffix(path, "/cancel"):
			status = "cancelled"
		case method == http.MethodGet:
			interrupt()
		}
		return fmt.Sprintf(`{"id":7,"status":%q}`, status)
	})
	var said strings.Builder
	o := options(t, &said)
	report, err := Run(ctx, api, o)
	if !errors.Is(err, context.Canceled) || report.Complete() || status != "cancelled" || !strings.Contains(said.String(), "Job 7 is cancelled.\nRemoved: ") {
		t.Errorf("%v after %v\n%s", err, asked, said.String())
	}
	nothingLeft(t, o)
}

func TestAWorkerThatSeesOtherFoldersIsFoundOutFirst(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]string{
		"doesn't find": `{"id":7,"status":"failed","error":{"code":"source_not_found","message":"Source not found"}}`,
		"isn't there":  `{"id":7,"status":"success"}`,
	} {
		posted := 0
		api := asking(t, func(method, _ string) string {
			if method == http.MethodPost {
				posted++
			}
			return answer
		})
		var said strings.Builder
		o := options(t, &said)
		_, err := Run(t.Context(), api, o)
		if failure.CodeOf(err) != failure.InvalidRequest || !strings.Contains(err.Error(), want) || !strings.Contains(failure.From(err).Advice(), "the worker's host") {
			t.Errorf("%v", err)
		}
		if posted != 1 {
			t.Errorf("%d jobs were posted", posted)
		}
		nothingLeft(t, o)
	}
}

// proven is a data set, a copy of it, and the job that says it made that.
func proven(t *testing.T) (l *lab, m *made, to Side, job client.JobDetail) {
	t.Helper()
	var said strings.Builder
	o := options(t, &said)
	l = &lab{Options: &o, source: o.Source, destination: o.Destination}
	m, err := l.make(t.Context(), dataset{"small", "src", append(sample.Of(1, 100), sample.Of(2, 10)...)})
	if err != nil {
		t.Fatal(err)
	}
	to = l.destination.at("dst")
	if err := m.set.Make(filepath.Join(to.Here, m.name)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	took, ended, direct := 1.5, began.Add(1500*time.Millisecond), transfer.Direct
	return l, m, to, client.JobDetail{Strategy: &direct, FilesCopied: 3, BytesCopied: 120, DurationSeconds: &took, StartedAt: &began, FinishedAt: &ended}
}

func TestEveryThingThatIsNotAsItShouldBeIsSeen(t *testing.T) {
	t.Parallel()
	first := func(side Side) string { return filepath.Join(side.Here, firstFile) }
	for name, spoil := range map[string]func(m *made, to Side, job *client.JobDetail) error{
		"": func(*made, Side, *client.JobDetail) error { return nil },
		"another strategy": func(_ *made, _ Side, job *client.JobDetail) error {
			zip := transfer.ZipFirst
			job.Strategy = &zip
			return nil
		},
		"counted 2 files":  func(_ *made, _ Side, job *client.JobDetail) error { job.FilesCopied = 2; return nil },
		"duration_seconds": func(_ *made, _ Side, job *client.JobDetail) error { *job.DurationSeconds += 296; return nil },
		"not only":         func(_ *made, to Side, _ *client.JobDetail) error { return os.WriteFile(to.Here+"/src.zip", nil, 0o600) },
		"differs from the source": func(m *made, to Side, _ *client.JobDetail) error {
			return os.WriteFile(first(to.at(m.name)), []byte("x"), 0o644)
		},
		"modes or times":    func(m *made, to Side, _ *client.JobDetail) error { return os.Chmod(first(to.at(m.name)), 0o600) },
		"touched by a copy": func(m *made, _ Side, _ *client.JobDetail) error { return os.Remove(first(m.side)) },
	} {
		l, m, to, job := proven(t)
		if err := spoil(m, to, &job); err != nil {
			t.Fatal(err)
		}
		problem, err := l.prove(m, copies[0], to, job, transfer.Direct)
		if err != nil || (name == "") != (problem == "") || !strings.Contains(problem, name) {
			t.Errorf("%q: %q, %v", name, problem, err)
		}
	}
	l, m, to, job := proven(t)
	if problem, err := l.prove(m, moves[0], to, job, transfer.Direct); !strings.Contains(problem, "still there after a move") {
		t.Errorf("%q, %v", problem, err)
	}
}

func TestAFailureIsInTheReport(t *testing.T) {
	t.Parallel()
	l := &lab{}
	l.expect("small", "it holds", "")
	l.expect("small", "it doesn't", "job 3 | failed")
	if text := l.report.Markdown(); l.report.Failures() != 1 || !strings.Contains(text, "1 expectations passed, 1 failed, 0 were not run") ||
		!strings.Contains(text, `| small | it doesn't | FAILED | job 3 \| failed |`) {
		t.Errorf("%d\n%s", l.report.Failures(), text)
	}
}

func TestAReportIsNeverReplaced(t *testing.T) {
	t.Parallel()
	dir, r := filepath.Join(t.TempDir(), "docs", "labs"), Report{Host: "../lab:1 ", Started: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	if err := PrepareReports(dir); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20260504T120000Z-lab_1.md", "20260504T120000Z-lab_1-2.md", "20260504T120000Z-lab_1-3.md"} {
		if name, err := r.Write(dir); err != nil || name != filepath.Join(dir, want) {
			t.Errorf("%s, %v", name, err)
		}
	}
}

func TestAFolderThatTakesNoReportIsToldBeforeAnythingIsMeasured(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", filepath.Join(file, "labs")} {
		if err := PrepareReports(dir); failure.CodeOf(err) != failure.InvalidRequest || failure.From(err).Advice() == "" {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

func TestSweepsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	s, err := ParseSweep("50,100x1MiB,4MiB")
	if err != nil || fmt.Sprint(s) != "{[50 100] [1048576 4194304] 0}" {
		t.Errorf("%v, %v", s, err)
	}
	for _, text := range []string{"", "50", "x", "50x", "x1MiB", "0x1MiB", "-1x1MiB", "50x1MB", "50x1MiBx2", "2000000x1B", "50,x1MiB"} {
		if _, err := ParseSweep(text); err == nil {
			t.Errorf("%q is taken for a sweep", text)
		}
	}
}
