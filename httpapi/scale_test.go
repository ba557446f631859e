package httpapi_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/testdb"
)

// TestScale asks the API for all there is to ask of a large history, and posts jobs to it and to an empty one, in turn. It
// fails on wrong answers alone: what took how long is told, and read by people. `task scale` is its long form.
func TestScale(t *testing.T) {
	t.Parallel()
	jobs, rounds := testdb.ScaleJobs(t), 2
	if os.Getenv("KETTER_SCALE_JOBS") != "" {
		rounds = 20
	}
	full, empty := newFixture(t), newFixture(t)
	began := time.Now()
	testdb.Fill(t, full.store, jobs)
	t.Logf("%d jobs and %d events, made in %.0f s; %d runs each, milliseconds", jobs, 8*jobs, time.Since(began).Seconds(), rounds)
	t.Log("\n" + measureReads(full, jobs, rounds))
	t.Log("\n" + measureWrites(full, empty, rounds))
}

// times are of one thing that was done several times.
type times struct {
	what string
	all  []time.Duration
}

func (r *times) took(do func()) {
	began := time.Now()
	do()
	r.all = append(r.all, time.Since(began))
}

func (r *times) median() float64 {
	slices.Sort(r.all)
	return milliseconds(r.all[len(r.all)/2])
}

func (r *times) slowest() float64 { return milliseconds(slices.Max(r.all)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measureReads is a table: of each kind of request, the median of all, and the slowest request by its median and by its
// slowest run.
func measureReads(f *fixture, jobs, rounds int) string {
	handler := httpapi.New(f.options)
	return table("request\tdifferent ones\tmedian\tworst median\tof\tslowest run\tof", func(row func(string, ...any)) {
		for _, kind := range reads(f, jobs) {
			var measured []*times
			whole := &times{}
			for _, target := range kind.targets {
				r := &times{what: target}
				for range rounds {
					r.took(func() { wantOK(f.t, send(handler, http.MethodGet, target, "")) })
				}
				measured, whole.all = append(measured, r), append(whole.all, r.all...)
			}
			worst := slices.MaxFunc(measured, func(a, b *times) int { return cmp.Compare(a.median(), b.median()) })
			slowest := slices.MaxFunc(measured, func(a, b *times) int { return cmp.Compare(a.slowest(), b.slowest()) })
			row("%s\t%d\t%.2f\t%.2f\t%s\t%.2f\t%s", kind.name, len(measured), whole.median(),
				worst.median(), worst.what, slowest.slowest(), slowest.what)
		}
	})
}

type kind struct {
	name    string
	targets []string
}

func reads(f *fixture, jobs int) []kind {
	all := []kind{{name: "/stats/jobs-history"}, {name: "/jobs, page 1"}, {name: "/jobs, page 1000"}, {name: "/jobs, 500 at once"},
		{name: "/jobs/{id}"}, {name: "/jobs/{id}/detail"}}
	for _, filter := range queries() {
		all[0].targets = append(all[0].targets, "/stats/jobs-history?"+filter)
		all[1].targets = append(all[1].targets, "/jobs?"+filter)
		if before := f.pageBefore(filter, 1000); before > 0 {
			all[2].targets = append(all[2].targets, fmt.Sprintf("/jobs?%s&before=%d", filter, before))
		}
		all[3].targets = append(all[3].targets, "/jobs?limit=500&"+filter)
	}
	for _, id := range []int{1, jobs / 3, jobs / 2, jobs - 1000, jobs} {
		all[4].targets = append(all[4].targets, fmt.Sprintf("/jobs/%d", id))
		all[5].targets = append(all[5].targets, fmt.Sprintf("/jobs/%d/detail", id))
	}
	return slices.DeleteFunc(all, func(k kind) bool { return len(k.targets) == 0 })
}

// queries are all filters, of every combination, as in a URL.
func queries() (all []string) {
	for _, status := range []string{"", "pending", "running", "success", "failed", "cancelled"} {
		for _, mode := range []string{"", "copy", "move"} {
			for _, strategy := range []string{"", "DIRECT", "ZIP_FIRST"} {
				var parts []string
				for name, value := range map[string]string{"status": status, "mode": mode, "strategy": strategy} {
					if value != "" {
						parts = append(parts, name+"="+value)
					}
				}
				slices.Sort(parts)
				all = append(all, strings.Join(parts, "&"))
			}
		}
	}
	return all
}

// pageBefore is the id before which the n-th page of 50 begins, 0 where there are not as many pages.
func (f *fixture) pageBefore(filter string, n int) (id int64) {
	f.t.Helper()
	condition := "true"
	for part := range strings.SplitSeq(filter, "&") {
		if name, value, ok := strings.Cut(part, "="); ok {
			condition += fmt.Sprintf(" AND %s = '%s'", name, value)
		}
	}
	err := f.store.Pool().QueryRow(f.t.Context(), "SELECT coalesce((SELECT id FROM jobs WHERE "+condition+
		" ORDER BY id DESC OFFSET $1 LIMIT 1), 0)", 50*(n-1)-1).Scan(&id)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// measureWrites posts jobs and records events in turn, so that a slow moment hits both databases alike.
func measureWrites(full, empty *fixture, rounds int) string {
	posts := [2]times{{what: "POST /jobs"}, {what: "POST /jobs"}}
	events := [2]times{{what: "an event"}, {what: "an event"}}
	handlers := [2]http.Handler{httpapi.New(empty.options), httpapi.New(full.options)}
	for range rounds * 20 {
		for i, f := range []*fixture{empty, full} {
			var job struct{ ID int64 }
			posts[i].took(func() {
				response := send(handlers[i], http.MethodPost, "/jobs", `{"source_path":"/data/a","destination_path":"/data/b","mode":"copy"}`)
				if err := json.Unmarshal(response.body, &job); err != nil || response.StatusCode != http.StatusCreated {
					f.t.Fatalf("status %d: %s", response.StatusCode, response.body)
				}
			})
			events[i].took(func() {
				_, err := db.New(f.store.Pool()).AddEvent(f.t.Context(), db.AddEventParams{
					JobID: job.ID, Kind: transfer.EventVerified, Message: "m", Payload: []byte("{}"),
				})
				if err != nil {
					f.t.Fatal(err)
				}
			})
		}
	}
	return table("write\tempty\tfull\tratio of the medians", func(row func(string, ...any)) {
		for _, r := range [][2]times{posts, events} {
			row("%s\t%.2f\t%.2f\t%.2f", r[0].what, r[0].median(), r[1].median(), r[1].median()/r[0].median())
		}
	})
}

func wantOK(t *testing.T, response answer) {
	t.Helper()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", response.StatusCode, response.body)
	}
}

// table lines columns up.
func table(head string, fill func(row func(format string, values ...any))) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	text := head + "\n"
	fill(func(format string, values ...any) { text += fmt.Sprintf(format+"\n", values...) })
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Flush()
	return b.String()
}
