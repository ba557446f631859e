package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ketter/ketter/dku"
	"github.com/ketter/ketter/infra/embedded"
	"github.com/ketter/ketter/infra/testdb"
)

// ward is an installation that the DKU looks at.
type ward struct {
	t      *testing.T
	target dku.Target
}

// wardOf is a running site as the DKU finds it.
func wardOf(t *testing.T, s site, dbURL, redisURL string) ward {
	return ward{t: t, target: dku.Target{Version: version, DBURL: dbURL, RedisURL: redisURL, API: s.url,
		Roots: []string{s.root}, FoundIn: "the test", Queues: []string{"default"}}}
}

// look runs the checks and returns the report, and its findings by id; of several with one id, the worst.
func (w ward) look() (dku.Report, map[string]dku.Finding) {
	w.t.Helper()
	probe := dku.NewProbe(w.t.Context(), w.target)
	defer probe.Close()
	if longest := dku.Longest(probe.Checks()); longest > dku.Limit {
		w.t.Errorf("it may take %s", longest)
	}
	report := runChecks(w.t.Context(), probe, dku.Table{Out: w.t.Output()})
	fitsSchema(w.t, report)
	rank := map[dku.Verdict]int{dku.OK: 1, dku.Warn: 2, dku.Fail: 3}
	found := map[string]dku.Finding{}
	for _, f := range report.Findings {
		if rank[f.Verdict] > rank[found[f.ID].Verdict] {
			found[f.ID] = f
		}
	}
	return report, found
}

func fitsSchema(t *testing.T, report dku.Report) {
	t.Helper()
	text, err := report.JSON()
	if err != nil {
		t.Fatal(err)
	}
	described, err := jsonschema.UnmarshalJSON(bytes.NewReader(dku.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("report.json", described); err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.MustCompile("report.json").Validate(document); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// fails looks, and expects these ids to fail, with advice and exit status 2.
func (w ward) fails(ids ...string) map[string]dku.Finding {
	w.t.Helper()
	report, found := w.look()
	if report.ExitStatus != 2 {
		w.t.Errorf("exit status %d", report.ExitStatus)
	}
	for _, id := range ids {
		if f := found[id]; f.Verdict != dku.Fail || f.Advice == "" {
			w.t.Errorf("%s: %+v", id, f)
		}
	}
	w.leavesNothing()
	return found
}

// looks are how often a test looks for what a busy machine may be too slow for: the DKU's own deadlines are not for testing.
const looks = 5

// until looks until what a busy machine may delay is as it should be.
func (w ward) until(is func(report dku.Report, found map[string]dku.Finding) bool) {
	w.t.Helper()
	for range looks {
		if is(w.look()) {
			return
		}
	}
	w.t.Errorf("not so in %d looks", looks)
}

// leavesNothing looks for what the DKU should have removed from the roots.
func (w ward) leavesNothing() {
	w.t.Helper()
	for _, root := range w.target.Roots {
		if left, err := filepath.Glob(filepath.Join(root, ".*")); err != nil || len(left) > 0 {
			w.t.Errorf("it left %v (%v)", left, err)
		}
	}
}

// closed is an address that nobody listens at.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestDKUFindsNothingAmissWhereAllIsUp(t *testing.T) {
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	s := setup(t, dbURL, redisURL)
	reports := t.TempDir()
	t.Setenv("DB_URL", dbURL)
	t.Setenv("REDIS_URL", redisURL)
	t.Setenv("KETTER_ALLOWED_ROOTS", s.root)
	out, errOut, status := ketterUntilWell(t, "dku", "--api", s.url, "--report-dir", reports)
	if status != 0 || errOut != "" {
		t.Fatalf("status %d\n%s%s", status, out, errOut)
	}
	for _, id := range dku.IDs() {
		if !strings.Contains(out, "OK    "+id) {
			t.Errorf("no word of %s:\n%s", id, out)
		}
	}
	if done := strings.Count(out, "DONE: job "); done != 4 {
		t.Errorf("%d jobs are DONE:\n%s", done, out)
	}
	written, err := filepath.Glob(filepath.Join(reports, "dku-*"))
	if err != nil || len(written) < 2 || len(written)%2 != 0 {
		t.Errorf("the reports: %v (%v)", written, err)
	}
	ward{t: t, target: dku.Target{Roots: []string{s.root}}}.leavesNothing()
}

// ketterUntilWell asks again when a busy machine was too slow for one of the DKU's limits.
func ketterUntilWell(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	for range looks {
		if stdout, stderr, status = ketter(t, args...); status == 0 {
			break
		}
		t.Logf("status %d\n%s%s", status, stdout, stderr)
	}
	return stdout, stderr, status
}

// miniredisThatAges expires keys, as `ketter up` has it do.
func miniredisThatAges(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	redis := miniredis.RunT(t)
	ctx, cancel := context.WithCancel(context.Background())
	var ageing sync.WaitGroup
	ageing.Go(func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				redis.FastForward(50 * time.Millisecond)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		ageing.Wait()
	})
	return redis
}

func TestDKUTellsAProgramInJSONAndRunsNoJobsUnlessAsked(t *testing.T) {
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	s := setup(t, dbURL, redisURL)
	t.Setenv("DB_URL", dbURL)
	t.Setenv("REDIS_URL", redisURL)
	t.Setenv("KETTER_ALLOWED_ROOTS", s.root)
	out, errOut, status := ketterUntilWell(t, "dku", "--api", s.url, "--report-dir", t.TempDir(), "--no-smoke", "--json")
	var report dku.Report
	err := json.Unmarshal([]byte(out), &report)
	fitsSchema(t, report)
	if err != nil || status != 0 || report.Smoke || report.SchemaVersion != dku.SchemaVersion {
		t.Errorf("status %d, %v: %s%s", status, err, out, errOut)
	}
	response, err := http.Get(s.url + "/jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var listed struct{ Jobs []any }
	if err := json.NewDecoder(response.Body).Decode(&listed); err != nil || len(listed.Jobs) != 0 {
		t.Errorf("%v, %v", listed, err)
	}
}

func TestDKUSaysThatAReportCouldNotBeWritten(t *testing.T) {
	t.Setenv("DB_URL", "postgres://"+closed(t)+"/ketter")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, status := ketter(t, "dku", "--api", "http://"+closed(t), "--report-dir", file)
	if status != 2 || !strings.Contains(errOut, "--report-dir") || !strings.Contains(out, "postgres.reachable") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
}

func TestDKUIsDoneWithAnEmptyEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"DB_URL", "REDIS_URL", "KETTER_ALLOWED_ROOTS", "KETTER_STATE_DIR"} {
		t.Setenv(name, "")
	}
	out, errOut, status := ketter(t, "dku", "--api", "http://"+closed(t))
	if status != 2 || !strings.Contains(out, "DB_URL is not set") || !strings.Contains(out, "No allowed root is known") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if written, err := filepath.Glob("docs/dku_reports/dku-*.txt"); err != nil || len(written) != 1 {
		t.Errorf("%v, %v", written, err)
	}
}

// What `ketter up` leaves word of stands in for the environment.
func TestDKUAndMigrateFindARunningUp(t *testing.T) {
	_, dbURL := testdb.New(t)
	redisURL := "redis://" + miniredisThatAges(t).Addr()
	s := setup(t, dbURL, redisURL)
	state := t.TempDir()
	release, err := embedded.LockState(state)
	if err != nil {
		t.Fatal(err)
	}
	remove, err := embedded.WriteServices(state, embedded.Services{API: s.url, DBURL: dbURL, RedisURL: redisURL, AllowedRoots: []string{s.root}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"DB_URL", "REDIS_URL", "KETTER_ALLOWED_ROOTS"} {
		t.Setenv(name, "")
	}
	t.Setenv("KETTER_STATE_DIR", state)
	if out, errOut, status := ketterUntilWell(t, "dku", "--report-dir", t.TempDir()); status != 0 || !strings.Contains(out, s.url) {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if out, errOut, status := ketter(t, "migrate", "status"); status != 0 || !strings.Contains(out, "Ketter's migrations") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	remove()
	release()
	if _, errOut, status := ketter(t, "migrate", "status"); status != 2 || !strings.Contains(errOut, "DB_URL is not set") {
		t.Errorf("without it: status %d\n%s", status, errOut)
	}
}
