package db_test

import (
	"testing"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/testdb"
)

// What every scrape reads is what waits or runs. The history is counted apart, and seldom.
func figuresReadNoHistory(t *testing.T, url string, jobs int) {
	const waitOrRun = 300
	explained(t, url, func(t *testing.T, explainer *testdb.Explainer) {
		q := db.New(explainer)
		live, err := q.LiveJobs(t.Context())
		must(t, err)
		queues, err := q.QueueDepths(t.Context(), db.QueueDepthsParams{Named: []string{"default"}, Most: 50})
		must(t, err)
		_, err = q.RunFigures(t.Context())
		must(t, err)
		within(t, "a scrape", explainer.Plans, waitOrRun)
		tellTimes(t, explainer.Plans)

		ended, err := q.EndedJobs(t.Context())
		must(t, err)
		all := int64(0)
		for _, row := range live {
			all += row.Jobs
		}
		for _, row := range ended {
			all += row.Jobs
		}
		if all != int64(jobs) || len(queues) != 1 || queues[0].Jobs != 200 {
			t.Errorf("%d jobs of %d are counted, %+v", all, jobs, queues)
		}
	})
}

func TestQueuesBeyondTheMostAreSummedUp(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	add := func(queue string, jobs int, waits time.Duration) {
		exec(t, store, `INSERT INTO jobs (mode, source_path, destination_path, queue, queued_at)
			SELECT 'copy', '/a', '/b', $1, now() - $3::interval FROM generate_series(1, $2)`, queue, jobs, waits)
	}
	add("named", 1, time.Minute)
	add("deep", 5, time.Hour)
	add("shallow", 2, 3*time.Hour)
	add("alone", 1, 2*time.Hour)
	rows, err := store.QueueDepths(t.Context(), db.QueueDepthsParams{Named: []string{"named", "empty"}, Most: 2})
	must(t, err)
	found := map[string]db.QueueDepthsRow{}
	for _, row := range rows {
		found[row.Queue] = row
	}
	if len(found) != 3 || found["named"].Jobs != 1 || found["deep"].Jobs != 5 || found[""].Jobs != 3 || found[""].OldestSeconds < 3*3600 {
		t.Errorf("%+v", found)
	}
}

// A job that has run, and is tried again, has not waited since it was submitted.
func TestAJobWaitsSinceItWasGivenBack(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	exec(t, store, `INSERT INTO jobs (mode, source_path, destination_path, queued_at) VALUES ('copy', '/a', '/b', now() - interval '5 h')`)
	exec(t, store, `UPDATE jobs SET status = 'running', started_at = now() - interval '4 h', attempts = 1`)
	exec(t, store, `UPDATE jobs SET status = 'pending'`)
	rows, err := store.QueueDepths(t.Context(), db.QueueDepthsParams{Named: []string{}, Most: 2})
	must(t, err)
	if len(rows) != 1 || rows[0].OldestSeconds > 3600 {
		t.Errorf("%+v", rows)
	}
}
