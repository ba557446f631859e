package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/testdb"
	"github.com/ketter/ketter/infra/testnet"
)

// scraped is what an address tells, which Prometheus' own parser and lint must accept.
func scraped(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", response.StatusCode, body, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(string(body))); err != nil {
		t.Errorf("Prometheus' parser: %v", err)
	}
	if problems, err := promlint.New(strings.NewReader(string(body))).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("Prometheus' lint: %v %v", problems, err)
	}
	return string(body)
}

func TestMetricsTellOfTheInstallationAndOfWhatTheProcessDid(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	log := &pile{}
	s := setupLogging(t, zerolog.New(log), dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_ZIP_THRESHOLD_FILES=10", "KETTER_WORKER_NAME=w1")
	makeFolder(t, filepath.Join(s.root, "few"), 3)
	makeFolder(t, filepath.Join(s.root, "many"), 11)
	job := func(source, destination, mode, queue string) int64 {
		return s.post(map[string]string{"source_path": filepath.Join(s.root, source), "destination_path": filepath.Join(s.root, destination),
			"mode": mode, "queue": queue}).ID
	}
	s.finished(job("few", "out", "copy", "default"))
	s.finished(job("many", "out", "copy", "default"))
	s.finished(job("few", "out", "copy", "default")) // it is there already
	s.finished(job("few", "moved", "move", "default"))
	job("many", "never", "copy", "nobody")
	for _, line := range []string{
		`ketter_jobs{status="success",strategy="DIRECT"} 2`, `ketter_jobs{status="success",strategy="ZIP_FIRST"} 1`,
		`ketter_jobs{status="failed",strategy="none"} 1`, `ketter_jobs{status="pending",strategy="none"} 1`,
		`ketter_queue_pending_jobs{queue="nobody"} 1`, `ketter_queue_workers{queue="nobody"} 0`, `ketter_queue_workers{queue="default"} 1`,
		`ketter_workers 1`, `ketter_database_up 1`, `ketter_database_schema_fits 1`, `ketter_redis_up 1`, `ketter_silent_runs 0`,
		`ketter_runs_ended_total{method="rename",result="success",strategy="DIRECT"} 1`,
		`ketter_run_failures_total{code="destination_exists",retried="false"} 1`,
		`ketter_http_requests_total{method="POST",route="/jobs",status="2xx"} 5`,
		`ketter_database_pool_max_connections 14`, `ketter_build_info{`, `go_goroutines `,
	} {
		until(t, line, func() bool { return strings.Contains(scraped(t, s.url), "\n"+line) })
	}
	everyLineAboutAJobNamesIt(t, log.String())
}

// until asks again for what is told a moment after it was done.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !is(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func everyLineAboutAJobNamesIt(t *testing.T, log string) {
	t.Helper()
	started := 0
	for line := range strings.Lines(log) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch message, _ := entry["message"].(string); {
		case message == "request" && entry["request_id"] == nil:
			t.Errorf("a request without its id: %s", line)
		case strings.HasPrefix(message, "job "):
			if entry["job_id"] == nil || entry["run"] == nil || entry["worker"] != "w1" {
				t.Errorf("a job's line lacks something: %s", line)
			}
			started++
		}
	}
	if started < 8 {
		t.Errorf("only %d lines are about jobs", started)
	}
}

// The answer says that the database does not answer, and all that doesn't come from there.
func TestADatabaseThatFallsSilentHangsNoScrape(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := testnet.NewProxy(t, u.Host, 0)
	u.Host = "127.0.0.1:" + strconv.Itoa(proxy.Port())
	s := start(t, services{}, u.String(), "redis://"+miniredis.RunT(t).Addr(), t.TempDir())
	if told := scraped(t, s.url); !strings.Contains(told, "\nketter_database_up 1\n") {
		t.Fatal(told)
	}
	proxy.Swallow()
	until(t, "the silence is told", func() bool {
		told := scraped(t, s.url)
		return strings.Contains(told, "\nketter_database_up 0\n") && strings.Contains(told, "\nketter_redis_up 1\n") &&
			!strings.Contains(told, "ketter_jobs{") && strings.Contains(told, "\ngo_goroutines ")
	})
	proxy.Restore()
	until(t, "the database is back", func() bool { return strings.Contains(scraped(t, s.url), "\nketter_database_up 1\n") })
}

// A worker has no API, and tells of itself alone: else two of them would tell of the installation twice.
func TestAWorkerServesItsOwnMetricsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	address := closed(t)
	c, _, err := config.Load([]string{"DB_URL=" + dbURL, "REDIS_URL=redis://" + miniredis.RunT(t).Addr(), "KETTER_ALLOWED_ROOTS=" + t.TempDir(),
		"KETTER_METRICS_LISTEN=" + address})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- services{config: c, logger: zerolog.Nop(), works: true}.run(ctx, func() { close(ready) })
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	<-ready
	told := scraped(t, "http://"+address)
	if !strings.Contains(told, "\nketter_worker_running_jobs 0\n") || strings.Contains(told, "ketter_jobs{") || strings.Contains(told, "ketter_http") {
		t.Error(told)
	}
	if response, err := http.Get("http://" + address + "/jobs"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("it serves more: %v %v", response, err)
	}
}
