package riverjobs_test

import (
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

func TestWhatIsForeseenIsWhatSubmitMakes(t *testing.T) {
	o := newOffice(t)
	lab, srv, all := o.portal("LAB", "lab", "/data"), o.portal("SRV", "srv", "/data"), o.portal("ALL", "", "/nas")
	whole := between(lab, all)
	whole.Spec.Source = "/"
	asked := between(all, all)
	asked.Queue = "nexis"
	wrong := between(lab, all)
	wrong.Queue = "nexis"
	for _, s := range []transfer.Submission{between(lab, all), between(all, srv), whole, asked, wrong, between(lab, srv), between(lab, db.Portal{ID: 99})} {
		foreseen, err := o.client.Foresee(t.Context(), s)
		if rows := scan[int](t, o.store, "SELECT count(*) FROM jobs WHERE status = 'pending'"); rows != 0 {
			t.Fatalf("%d jobs were made", rows)
		}
		job, _, submitted := o.client.Submit(t.Context(), s)
		if failure.CodeOf(err) != failure.CodeOf(submitted) {
			t.Errorf("foreseen %v, submitted %v", err, submitted)
		}
		if submitted != nil {
			continue
		}
		if foreseen.Queue != job.Queue || foreseen.Source.Name != *job.SourcePortalName || foreseen.Destination.Name != *job.DestinationPortalName {
			t.Errorf("foreseen %+v, submitted %+v", foreseen, job)
		}
		o.end(job)
	}
}
