package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// fake is an installation that says what it is told to.
type fake struct {
	database func(ctx context.Context, named []string) (Database, error)
	ended    func(ctx context.Context) ([]Jobs, error)
	workers  [][]string
	redis    error

	mu           sync.Mutex
	reads, count int
}

func (f *fake) Database(ctx context.Context, named []string, _ int) (Database, error) {
	f.mu.Lock()
	f.reads++
	f.mu.Unlock()
	if f.database == nil {
		return Database{SchemaFits: true}, nil
	}
	return f.database(ctx, named)
}

func (f *fake) EndedJobs(ctx context.Context) ([]Jobs, error) {
	f.mu.Lock()
	f.count++
	f.mu.Unlock()
	if f.ended == nil {
		return nil, nil
	}
	return f.ended(ctx)
}

func (f *fake) Workers(context.Context) ([][]string, error) { return f.workers, f.redis }

// everything is a process that is API and worker, and has done a little.
func everything(of Installation, queues ...string) *Metrics {
	m := New("v1")
	m.Pool(func() Pool { return Pool{Acquired: 1, Idle: 2, Most: 14, Acquires: 5, Waits: 1, WaitSeconds: 0.5} })
	m.Installation(of, queues)
	w, r := m.Worker(func() int { return 3 }), m.Requests()
	w.RunStarted()
	w.JobWaited(time.Second)
	w.RunSucceeded(transfer.Direct, transfer.Result{Method: transfer.Copied, Files: 2, Bytes: 1 << 30, Elapsed: 4 * time.Second})
	w.Verified(transfer.Checksum, time.Second)
	r.Answered("GET", "/jobs/:id", 200)
	r.Took("GET", "/jobs/:id", time.Millisecond)
	return m
}

// scrape asks as Prometheus does, and reads the answer with Prometheus' parser.
func scrape(t *testing.T, m *Metrics) (text []byte, families map[string]*dto.MetricFamily) {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler(zerolog.New(zerolog.NewTestWriter(t))).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(answer.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Body.Bytes(), families
}

// value is that of a gauge or counter with these labels, in the order of their names; -1: there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		var got []string
		for _, label := range m.GetLabel() {
			got = append(got, label.GetValue())
		}
		if slices.Equal(got, labels) {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return -1
}

func want(t *testing.T, families map[string]*dto.MetricFamily, value_ float64, name string, labels ...string) {
	t.Helper()
	if got := value(families, name, labels...); got != value_ {
		t.Errorf("%s%q is %v, not %v", name, labels, got, value_)
	}
}

func TestPrometheusParserAndLintAcceptEveryMetric(t *testing.T) {
	t.Parallel()
	text, _ := scrape(t, everything(&fake{}))
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// documented are the rows of the document's tables: | `name` | type | labels | …
var documented = regexp.MustCompile("(?m)^\\| `(ketter_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|[^|]+\\|[^|]*\\|$")

func TestTheDocumentListsEveryMetricThereIs(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, told []string
	for _, row := range documented.FindAllStringSubmatch(string(document), -1) {
		listed = append(listed, strings.TrimSpace(row[1]+" "+row[2]+" "+strings.Join(strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(row[3])), " ")))
	}
	_, families := scrape(t, everything(&fake{}))
	for name, family := range families {
		if !strings.HasPrefix(name, "ketter_") {
			continue
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s %s", name, strings.ToLower(family.GetType().String()), strings.Join(labels, " "))))
	}
	slices.Sort(told)
	slices.Sort(listed)
	if !slices.Equal(listed, told) {
		t.Errorf("the document lists\n%s\nand there are\n%s", strings.Join(listed, "\n"), strings.Join(told, "\n"))
	}
}

// Whoever may submit jobs may name a new queue with each, and whoever reaches the port may ask for anything.
func TestLabelsAreBoundedWhateverIsSent(t *testing.T) {
	t.Parallel()
	now, round := time.Now(), 0
	f := &fake{workers: [][]string{{"default", "lab"}, {"lab"}}}
	f.database = func(_ context.Context, named []string) (Database, error) {
		if len(named) > MostQueues {
			t.Errorf("%d queues are asked for", len(named))
		}
		found := Database{SchemaFits: true, Queues: []Queue{{Name: "", Jobs: 7, OldestSeconds: 99}, {Name: "other", Jobs: 1}, {Name: "lab", Jobs: 4}}}
		for i := range 200 {
			found.Queues = append(found.Queues, Queue{Name: fmt.Sprintf("q-%d-%d", round, i), Jobs: 1, OldestSeconds: 1})
		}
		found.Jobs = []Jobs{{Status: "pending", Strategy: "a strategy of tomorrow", Count: 1}}
		return found, nil
	}
	m := New("v1")
	m.installation(f, []string{"default"}, func() time.Time { return now })
	w, r := m.Worker(func() int { return 0 }), m.Requests()
	seen := map[string]bool{}
	var families map[string]*dto.MetricFamily
	for round = range 5 {
		now = now.Add(time.Minute)
		for i := range 30 {
			r.Answered(fmt.Sprintf("M%d-%d", round, i), "", 1000+i)
			r.Took(fmt.Sprintf("M%d-%d", round, i), "", time.Second)
			word := fmt.Sprintf("%d-%d", round, i)
			w.RunEnded(transfer.Failed, transfer.Strategy(word), failure.Code(word))
			w.RunSucceeded(transfer.Strategy(word), transfer.Result{Method: transfer.Method(word), Bytes: 1, Elapsed: 1})
			w.Verified(transfer.Verify(word), 1)
		}
		_, families = scrape(t, m)
		for name, family := range families {
			if n := len(family.GetMetric()); n > 2*len(failure.Codes())+2 && n > MostQueues+1 {
				t.Errorf("%s has %d series", name, n)
			}
		}
		for _, metric := range families["ketter_queue_pending_jobs"].GetMetric() {
			seen[metric.GetLabel()[0].GetValue()] = true
		}
	}
	for word := range seen {
		if strings.HasPrefix(word, "q-") && !strings.HasPrefix(word, "q-0-") {
			t.Errorf("a queue of a later scrape has a label: %s", word)
		}
	}
	if n := len(families["ketter_queue_pending_jobs"].GetMetric()); n != MostQueues+1 {
		t.Errorf("%d queues have labels", n)
	}
	want(t, families, 4, "ketter_queue_pending_jobs", "lab")
	want(t, families, 2, "ketter_queue_workers", "lab")
	want(t, families, 1, "ketter_queue_workers", "default")
	want(t, families, 7+1+200, "ketter_queue_pending_jobs", "other")
	want(t, families, 99, "ketter_queue_oldest_pending_seconds", "other")
}

// A scrape takes no longer than it may, and the next one is told the same at once.
func TestADatabaseThatHangsDoesNotHangAScrape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{database: func(ctx context.Context, _ []string) (Database, error) {
			<-ctx.Done()
			return Database{}, ctx.Err()
		}}
		m, began := everything(f), time.Now()
		for range 10 {
			_, families := scrape(t, m)
			want(t, families, 0, "ketter_database_up")
			want(t, families, 1, "ketter_redis_up")
			want(t, families, 3, "ketter_worker_running_jobs")
			want(t, families, -1, "ketter_silent_runs")
			if families["ketter_jobs"] != nil || families["ketter_queue_pending_jobs"] != nil {
				t.Error("it tells of jobs that it couldn't read")
			}
		}
		if took := time.Since(began); took != readIn || f.reads != 1 {
			t.Errorf("%d readings, %v", f.reads, took)
		}
	})
}

func TestScrapesDoNotHammerTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = 2 * time.Second
		f := &fake{ended: func(context.Context) ([]Jobs, error) {
			time.Sleep(slow)
			return []Jobs{{Status: "success", Strategy: "DIRECT", Count: 5}}, nil
		}}
		m := everything(f)
		ask := func(reads, counts int) {
			t.Helper()
			_, families := scrape(t, m)
			want(t, families, 5, "ketter_jobs", "success", "DIRECT") // labels by name: status, strategy
			if f.reads != reads || f.count != counts {
				t.Errorf("%d readings and %d counts, not %d and %d", f.reads, f.count, reads, counts)
			}
		}
		ask(1, 1)
		for range 5 {
			ask(1, 1)
		}
		time.Sleep(fresh)
		ask(2, 1)
		time.Sleep(countCost*slow - fresh - time.Second)
		ask(3, 1)
		time.Sleep(time.Second)
		ask(4, 2)
	})
}

// A history that can't be counted in time is left out, and everything else is told.
func TestAHistoryThatIsTooLongToCountIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{ended: func(ctx context.Context) ([]Jobs, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		_, families := scrape(t, everything(f))
		want(t, families, 1, "ketter_database_up")
		want(t, families, 0, "ketter_jobs", "pending", "none")
		want(t, families, -1, "ketter_jobs", "success", "DIRECT")
	})
}

func TestARedisThatIsDownHidesTheWorkersAlone(t *testing.T) {
	t.Parallel()
	_, families := scrape(t, everything(&fake{redis: errors.New("down")}))
	want(t, families, 0, "ketter_redis_up")
	want(t, families, 1, "ketter_database_up")
	want(t, families, -1, "ketter_workers")
	want(t, families, 0, "ketter_jobs", "running", "DIRECT")
}

// A counter that appears with its first failure is one whose first failure no rule sees.
func TestEveryFailureIsThereAtZeroBeforeItHappens(t *testing.T) {
	t.Parallel()
	_, families := scrape(t, everything(&fake{}))
	for _, code := range failure.Codes() {
		want(t, families, 0, "ketter_run_failures_total", string(code), "false")
		want(t, families, 0, "ketter_run_failures_total", string(code), "true")
	}
	want(t, families, 0, "ketter_runs_ended_total", none, lost, none) // method, result, strategy
	want(t, families, 1, "ketter_runs_ended_total", "copy", succeeded, "DIRECT")
	want(t, families, 0, "ketter_lease_renewals_total", "lost")
	want(t, families, 0, "ketter_takeovers_total", "silent")
}

func TestHowARunEndedFollowsFromItsJobAndCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status transfer.Status
		code   failure.Code
		result string
	}{
		{transfer.Failed, failure.SourceNotFound, failed}, {transfer.Cancelled, failure.IOError, cancelled},
		{transfer.Pending, failure.IOError, retried}, {transfer.Pending, "", interrupted}, {transfer.Pending, failure.LeaseLost, lost},
	} {
		if got := resultOf(c.status, c.code); got != c.result {
			t.Errorf("%s %s: %s, not %s", c.status, c.code, got, c.result)
		}
	}
}
