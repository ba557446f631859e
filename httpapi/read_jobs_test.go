package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

// variety makes a job of every mode, status and decided strategy there is, and returns how many.
func (f *fixture) variety() int {
	n := 0
	for _, mode := range []string{"copy", "move"} {
		for _, strategy := range []string{"DIRECT", "ZIP_FIRST"} {
			for _, status := range []string{"pending", "running", "success", "failed", "cancelled"} {
				id := f.insert(mode, noon())
				n++
				if status == "pending" {
					continue
				}
				f.start(id, noon())
				f.exec(`UPDATE jobs SET strategy = $2 WHERE id = $1`, id, strategy)
				switch status {
				case "success":
					f.succeed(id, strategy, "copy", noon())
				case "failed":
					f.exec(`UPDATE jobs SET status = 'failed', finished_at = $2, error_code = 'io_error' WHERE id = $1`, id, noon())
				case "cancelled":
					f.exec(`UPDATE jobs SET status = 'cancelled', finished_at = $2 WHERE id = $1`, id, noon())
				}
			}
		}
	}
	return n
}

func TestListFiltersAreExact(t *testing.T) {
	f := setup(t)
	f.variety()
	for query, want := range map[string]int{
		"":                                   20,
		"status=success":                     4,
		"mode=move":                          10,
		"strategy=ZIP_FIRST":                 8,
		"mode=move&status=failed":            2,
		"mode=copy&status=running&limit=500": 2,
		"limit=5&mode=move&status=success&strategy=ZIP_FIRST": 1,
		"status=pending&strategy=DIRECT":                      0,
	} {
		for _, route := range []string{"/jobs", "/stats/jobs-history"} {
			var page pageAnswer
			f.get(route+"?"+query).into(t, http.StatusOK, &page)
			if len(page.Jobs) != want || page.Jobs == nil {
				t.Errorf("%s?%s: %d jobs, want %d", route, query, len(page.Jobs), want)
			}
			for _, job := range page.Jobs {
				if !matches(job, query) {
					t.Errorf("%s?%s holds %+v", route, query, job)
				}
			}
		}
	}
}

func matches(job jobAnswer, query string) bool {
	has := func(name, value string) bool {
		return !strings.Contains(query, name+"=") || strings.Contains(query, name+"="+value)
	}
	strategy := "none"
	if job.Strategy != nil {
		strategy = *job.Strategy
	}
	return has("mode", job.Mode) && has("status", job.Status) && has("strategy", strategy)
}

func TestPagesCoverAllJobsOnceNewestFirst(t *testing.T) {
	f := setup(t)
	total := f.variety()
	for _, size := range []int{1, 3, 10, total, total + 1} {
		var seen []int64
		target := fmt.Sprintf("/jobs?limit=%d", size)
		for next := target; next != ""; {
			var page pageAnswer
			f.get(next).into(t, http.StatusOK, &page)
			if len(page.Jobs) == 0 || len(page.Jobs) > size {
				t.Fatalf("%s: a page of %d", next, len(page.Jobs))
			}
			for _, job := range page.Jobs {
				seen = append(seen, job.ID)
			}
			next = ""
			if page.NextBefore != nil {
				next = fmt.Sprintf("%s&before=%d", target, *page.NextBefore)
			}
		}
		newestFirst := slices.IsSortedFunc(seen, func(a, b int64) int { return int(b - a) })
		if len(slices.Compact(slices.Clone(seen))) != total || len(seen) != total || !newestFirst {
			t.Errorf("pages of %d: %v", size, seen)
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	f := setup(t)
	f.exec(`INSERT INTO jobs (mode, source_path, destination_path) SELECT 'copy', '/data/s', '/data/d' FROM generate_series(1, 60)`)
	for route, want := range map[string]int{"/jobs": 50, "/stats/jobs-history": 20, "/jobs?limit=500": 60} {
		var page pageAnswer
		f.get(route).into(t, http.StatusOK, &page)
		if len(page.Jobs) != want || page.Jobs[0].ID != 60 {
			t.Errorf("%s: %d jobs from %d, want %d", route, len(page.Jobs), page.Jobs[0].ID, want)
		}
	}
}

func TestReadsRefuseWhatTheyDoNotKnow(t *testing.T) {
	f := setup(t)
	for target, says := range map[string]string{
		"/jobs?limit=0":                        "from 1 to 500",
		"/jobs?limit=501":                      "from 1 to 500",
		"/jobs?limit=-1":                       "from 1 to 500",
		"/jobs?limit=":                         "from 1 to 500",
		"/jobs?limit=1e2":                      "from 1 to 500",
		"/jobs?limit=1&limit=2":                "twice",
		"/jobs?before=0":                       "whole number",
		"/jobs?before=x":                       "whole number",
		"/jobs?before=99999999999999999999":    "whole number",
		"/jobs?status=done":                    "pending, running, success, failed or cancelled",
		"/jobs?status=":                        "pending, running",
		"/jobs?status=SUCCESS":                 "pending, running",
		"/jobs?mode=sync":                      "copy or move",
		"/jobs?strategy=AUTO":                  "DIRECT or ZIP_FIRST",
		"/jobs?strategy=zip_first":             "DIRECT or ZIP_FIRST",
		"/jobs?state=failed":                   "before, code, limit, mode, portal, since, status, strategy, until",
		"/jobs?status=%zz":                     "query",
		"/stats/jobs-history?code=oops":        "source_not_found, ",
		"/stats/jobs-history?since=yesterday":  "a time, as 2026-05-04T00:00:00Z",
		"/jobs?since=2016-12-31T23:59:60Z":     "since is \"2016-12-31T23:59:60Z\"; it must be a time, as 2026-05-04T00:00:00Z",
		"/jobs?until=2026-05-04t00:00:00z":     "a time, as 2026-05-04T00:00:00Z",
		"/stats/summary?status=failed":         "mode, portal, since, strategy, until",
		"/stats/jobs-history?limit=1000":       "from 1 to 500",
		"/jobs/1?verbose=1":                    "this route has none",
		"/jobs/1/detail?events=no":             "this route has none",
		"/jobs/1/events?after=3":               "this route has none",
		"/jobs/x/events":                       "whole number",
		"/jobs/x":                              "whole number",
		"/jobs/0":                              "whole number",
		"/jobs/-1":                             "whole number",
		"/jobs/1.5/detail":                     "whole number",
		"/jobs/9223372036854775808":            "whole number",
		"/jobs/" + strings.Repeat("x", 10_000): "whole number",
	} {
		p := f.get(target).isProblem(t, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(p.Detail, says) || len(p.Detail) > 800 {
			t.Errorf("%.80s: the detail doesn't say %q: %s", target, says, p.Detail)
		}
	}
}

func TestUnknownJobIsNotFound(t *testing.T) {
	f := setup(t)
	for target, method := range map[string]string{
		"/jobs/12": "GET", "/jobs/12/detail": "GET", "/jobs/12/events": "GET", "/jobs/12/cancel": "POST", "/jobs/12/retry": "POST",
	} {
		if p := f.send(method, target, "").isProblem(t, http.StatusNotFound, "not_found"); p.Detail != "There is no job 12." {
			t.Errorf("%s: %s", target, p.Detail)
		}
	}
}

func TestTimesCountTheRunApartFromTheWait(t *testing.T) {
	f := setup(t)
	at := func(seconds float64) time.Time { return noon().Add(time.Duration(seconds * float64(time.Second))) }
	f.options.Now = func() time.Time { return at(100) }
	waiting := f.insert("copy", at(0))
	running := f.insert("copy", at(0))
	f.start(running, at(60))
	done := f.insert("copy", at(0))
	f.start(done, at(90))
	f.succeed(done, "DIRECT", "copy", at(93.25))
	cancelled := f.insert("copy", at(0))
	f.exec(`UPDATE jobs SET status = 'cancelled', finished_at = $2 WHERE id = $1`, cancelled, at(20))
	again := f.insert("copy", at(0))
	f.start(again, at(10))
	f.exec(`UPDATE jobs SET status = 'pending' WHERE id = $1`, again)
	future := f.insert("copy", at(101)) // the database's clock is ahead of ours
	retried := f.insert("copy", at(0))
	f.start(retried, at(10))
	f.exec(`UPDATE jobs SET status = 'cancelled', finished_at = $2 WHERE id = $1`, retried, at(20))
	f.exec(`UPDATE jobs SET status = 'pending', finished_at = NULL, queued_at = $2 WHERE id = $1`, retried, at(70))
	gone := f.insert("copy", at(0)) // cancelled, retried, and cancelled before it ran again
	f.start(gone, at(10))
	f.exec(`UPDATE jobs SET status = 'cancelled', queued_at = $2, finished_at = $3 WHERE id = $1`, gone, at(70), at(75))

	none := -1.0
	for id, want := range map[int64][2]float64{
		waiting: {none, 100}, running: {40, 60}, done: {3.25, 90}, cancelled: {none, 20}, again: {none, 100}, future: {none, 0},
		retried: {none, 30}, gone: {none, 5},
	} {
		var job jobAnswer
		f.get(fmt.Sprintf("/jobs/%d", id)).into(t, http.StatusOK, &job)
		duration := none
		if job.DurationSeconds != nil {
			duration = *job.DurationSeconds
		}
		if duration != want[0] || job.QueuedSeconds != want[1] {
			t.Errorf("job %d (%s): duration %v, queued %v, want %v", id, job.Status, duration, job.QueuedSeconds, want)
		}
		for _, stamp := range []*string{&job.CreatedAt, &job.UpdatedAt, job.StartedAt, job.FinishedAt} {
			if stamp != nil && !strings.HasSuffix(*stamp, "Z") {
				t.Errorf("job %d: %s is not UTC", id, *stamp)
			}
		}
	}
}

func TestDetailHoldsEventsInOrder(t *testing.T) {
	f := setup(t)
	id := f.insert("move", noon())
	for _, kind := range []transfer.EventKind{"created", "started", "strategy_decision", "archive_created", "published", "finished"} {
		f.happen(id, kind)
	}
	f.start(id, noon())
	f.succeed(id, "ZIP_FIRST", "archive", noon())
	var detail struct {
		jobAnswer
		RequestedStrategy   string `json:"requested_strategy"`
		Method              string `json:"method"`
		Verify              string `json:"verify"`
		Takeovers           int    `json:"takeovers"`
		SourcePortalID      *int64 `json:"source_portal_id"`
		DestinationPortalID *int64 `json:"destination_portal_id"`
		Events              []struct {
			Seq       int64            `json:"seq"`
			Actor     *string          `json:"actor"`
			Kind      string           `json:"kind"`
			Message   string           `json:"message"`
			Payload   map[string]int64 `json:"payload"`
			CreatedAt string           `json:"created_at"`
		} `json:"events"`
	}
	f.get(fmt.Sprintf("/jobs/%d/detail", id)).into(t, http.StatusOK, &detail)
	if *detail.Strategy != "ZIP_FIRST" || detail.Method != "archive" || detail.RequestedStrategy != "AUTO" ||
		detail.Verify != "checksum" || detail.Attempts != 1 || len(detail.Events) != 6 {
		t.Errorf("%+v", detail)
	}
	for i, e := range detail.Events {
		if e.Seq != int64(i+1) || e.Message != "It & <that> happened" || e.Payload["bytes"] != 9007199254740993 || !strings.HasSuffix(e.CreatedAt, "Z") {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

func TestFailedJobTellsItsError(t *testing.T) {
	f := setup(t)
	id := f.insert("copy", noon())
	f.start(id, noon())
	f.exec(`UPDATE jobs SET status = 'failed', finished_at = $2, error_code = 'destination_exists',
		error_message = 'Destination already exists: /data/d/s', error_path = '/data/d/s' WHERE id = $1`, id, noon())
	var job jobAnswer
	f.get(fmt.Sprintf("/jobs/%d", id)).into(t, http.StatusOK, &job)
	if job.Error == nil || job.Error.Code != "destination_exists" || job.Error.Message != "Destination already exists: /data/d/s" ||
		*job.Error.Path != "/data/d/s" || !strings.Contains(job.Error.Hint, "never overwrites") {
		t.Errorf("%+v", job.Error)
	}
}

func TestErrorWithoutPathHasNull(t *testing.T) {
	f := setup(t)
	id := f.insert("copy", noon())
	f.exec(`UPDATE jobs SET status = 'failed', finished_at = $2, error_code = 'internal', error_message = 'Oops', error_path = '', error_hint = 'Own hint'
		WHERE id = $1`, id, noon())
	var job jobAnswer
	f.get(fmt.Sprintf("/jobs/%d", id)).into(t, http.StatusOK, &job)
	if job.Error == nil || job.Error.Path != nil || job.Error.Hint != "Own hint" {
		t.Errorf("%+v", job.Error)
	}
}
