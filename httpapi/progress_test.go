package httpapi_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

func TestProgressIsToldWhenItHasChanged(t *testing.T) {
	f := setup(t)
	hub := httpapi.NewHub()
	f.options.Streams = httpapi.Streams{Hub: hub, Poll: never}
	id, path := f.running()
	f.run(id)
	l := listenTo(t, f.serve()+path)
	l.expect("created")
	l.expect("started")
	for _, done := range []int64{1, 2} {
		f.exec(`UPDATE job_runs SET phase = 'copying', files_done = $2, seconds_left = 1.5 WHERE job_id = $1`, id, done)
		if done == 2 {
			hub.Wake(id)
		}
		var p progressAnswer
		for p.FilesDone != done { // the first look may have been before the update
			m := l.expect("progress")
			if err := json.Unmarshal([]byte(m.data), &p); err != nil || m.id != "" {
				t.Fatalf("%+v, %v", m, err)
			}
			hub.Wake(id)
		}
		if p.Worker != "worker-1" || *p.Phase != "copying" || *p.EtaSeconds != 1.5 {
			t.Errorf("%+v", p)
		}
	}
	f.happen(id, "published") // what comes next is this: the wakes above found nothing new
	hub.Wake(id)
	l.expect("published")
}

// run makes the run of a job.
func (f *fixture) run(id int64) {
	f.t.Helper()
	f.exec(`INSERT INTO job_runs (job_id, worker, lease_expires_at, renewed_at) VALUES ($1, 'worker-1', now() + interval '1 hour', $2)`,
		id, noon())
}

func TestProgressIsThatOfARunningJob(t *testing.T) {
	f := setup(t)
	id, _ := f.running()
	target := fmt.Sprintf("/jobs/%d", id)
	progress := func(target string) *progressAnswer {
		t.Helper()
		var job struct{ Progress *progressAnswer }
		if err := json.Unmarshal(f.get(target).body, &job); err != nil {
			t.Fatal(err)
		}
		return job.Progress
	}
	if p := progress(target); p != nil {
		t.Errorf("progress without a run: %+v", p)
	}
	f.run(id)
	if p := progress(target); p == nil || p.Phase != nil || p.EtaSeconds != nil || p.UpdatedAt != "2026-05-04T12:00:00Z" {
		t.Errorf("progress before the run has said anything: %+v", p)
	}
	f.exec(`UPDATE job_runs SET phase = 'copying', files_done = 1, files_total = 2, bytes_done = 3, bytes_total = 4,
		bytes_per_second = 5.5, seconds_left = 6.5 WHERE job_id = $1`, id)
	for _, target := range []string{target, target + "/detail"} {
		p := progress(target)
		if p == nil || p.Worker != "worker-1" || *p.Phase != string(transfer.Copying) || p.FilesDone != 1 || p.FilesTotal != 2 ||
			p.BytesDone != 3 || p.BytesTotal != 4 || p.BytesPerSecond != 6 || *p.EtaSeconds != 6.5 {
			t.Errorf("%s: %+v", target, p)
		}
	}
	f.finish(id) // and a worker sweeps
	for _, target := range []string{target, target + "/detail"} {
		if p := progress(target); p != nil {
			t.Errorf("%s: progress of an ended job: %+v", target, p)
		}
	}
}
