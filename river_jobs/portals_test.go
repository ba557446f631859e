package riverjobs_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// office is where jobs are submitted and none is worked.
type office struct {
	*testing.T
	store  *db.Store
	client *riverjobs.Client
}

func newOffice(t *testing.T) office {
	t.Helper()
	t.Parallel()
	store, _ := testdb.New(t)
	client, err := riverjobs.NewClient(store, unheard{}, zerolog.Nop())
	must(t, err)
	return office{t, store, client}
}

type unheard struct{}

func (unheard) Publish(int64, int64, string) {}

func (o office) portal(name, label, root string) db.Portal {
	o.Helper()
	portal := db.Portal{Name: name, Kind: transfer.LocalPortal, RootPath: root, MaxConnections: 8, CredentialKind: transfer.NoCredential}
	if label != "" {
		portal.WorkerLabel = &label
	}
	portal, err := o.store.CreatePortal(o.Context(), portal, func(p db.Portal) (db.Portal, error) { return p, nil })
	must(o.T, err)
	return portal
}

func between(source, destination db.Portal) transfer.Submission {
	return transfer.Submission{Priority: transfer.DefaultPriority, Spec: transfer.Spec{
		Source: "/a/take", SourcePortal: source.ID, Destination: "/b", DestinationPortal: destination.ID,
		Mode: transfer.Copy, Strategy: transfer.Auto, Verify: transfer.Checksum,
	}}
}

func (o office) submit(s transfer.Submission) db.Job {
	o.Helper()
	job, _, err := o.client.Submit(o.Context(), s)
	must(o.T, err)
	return job
}

func (o office) fails(s transfer.Submission, code failure.Code) *failure.Error {
	o.Helper()
	_, _, err := o.client.Submit(o.Context(), s)
	if failure.CodeOf(err) != code {
		o.Errorf("%v is not %s", err, code)
	}
	return failure.From(err)
}

// end ends a job as one that failed.
func (o office) end(job db.Job) {
	o.Helper()
	_, err := db.New(o.store.Pool()).FailJob(o.Context(), db.FailJobParams{ID: job.ID, ErrorCode: new(failure.IOError)})
	must(o.T, err)
}

func TestAJobRemembersItsPortals(t *testing.T) {
	o := newOffice(t)
	lab, nas := o.portal("LAB", "lab", "/data"), o.portal("NAS", "", "/nas")
	job := o.submit(between(lab, nas))
	if job.Queue != "lab" || *job.SourcePortal != lab.ID || *job.SourcePortalName != "LAB" || *job.DestinationPortal != nas.ID || *job.DestinationPortalName != "NAS" {
		t.Errorf("%+v", job)
	}
	f, err := o.store.Follow(t.Context(), job.ID, 0, db.AllEvents)
	must(t, err)
	if got := f.Events[0].Message; got != "Job created: copy LAB:/a/take to NAS:/b/take" {
		t.Errorf("created: %s", got)
	}
	if got := string(f.Events[0].Payload); !strings.Contains(got, `"source_portal": "LAB"`) || !strings.Contains(got, `"destination_portal": "NAS"`) {
		t.Errorf("created: %s", got)
	}
}

func TestWhatNoWorkerCanReachIsRefused(t *testing.T) {
	o := newOffice(t)
	lab, srv, all := o.portal("LAB", "lab", "/data"), o.portal("SRV", "srv", "/data"), o.portal("ALL", "", "/")
	if f := o.fails(between(lab, srv), failure.InvalidRequest); !strings.Contains(f.Message, "LAB") || !strings.Contains(f.Hint, "SRV") {
		t.Errorf("%s %s", f.Message, f.Hint)
	}
	o.fails(between(lab, db.Portal{ID: 99}), failure.PortalNotFound)
	for _, from := range []db.Portal{all, lab} { // whatever the root is called
		whole := between(from, lab)
		whole.Spec.Source = "/"
		o.fails(whole, failure.InvalidRequest)
	}
	asked := between(lab, all)
	asked.Queue = "nexis"
	o.fails(asked, failure.InvalidRequest)
	if n := scan[int](t, o.store, "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM river_job)"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestAKeyStandsForThePortalsToo(t *testing.T) {
	o := newOffice(t)
	a, b := o.portal("a", "", "/a"), o.portal("b", "", "/b")
	s := between(a, b)
	s.IdempotencyKey = "k"
	first := o.submit(s)
	if again := o.submit(s); again.ID != first.ID {
		t.Errorf("jobs %d and %d", first.ID, again.ID)
	}
	s.Spec.SourcePortal, s.Spec.DestinationPortal = b.ID, a.ID
	o.fails(s, failure.IdempotencyKeyReused)
	raw := submission(transfer.Spec{Source: "/a/take", Destination: "/b", Mode: transfer.Copy, Strategy: transfer.Auto, Verify: transfer.Checksum})
	raw.IdempotencyKey = "k"
	o.fails(raw, failure.IdempotencyKeyReused)
	raw.IdempotencyKey = "raw"
	first = o.submit(raw)
	raw.Queue = "" // which means the same, and did before there were portals
	if again := o.submit(raw); again.ID != first.ID || again.Queue != transfer.DefaultQueue {
		t.Errorf("jobs %d and %d", first.ID, again.ID)
	}
}

// A job of a deleted portal is history: its path must never be taken for one of the worker's own.
func TestAJobOfADeletedPortalIsNotTriedAgain(t *testing.T) {
	o := newOffice(t)
	lab, nas := o.portal("LAB", "lab", "/data"), o.portal("NAS", "", "/nas")
	job := o.submit(between(lab, nas))
	var use *db.PortalInUse
	if err := o.store.DeletePortal(t.Context(), lab.ID); !errors.As(err, &use) {
		t.Errorf("deleted in use: %v", err)
	}
	o.end(job)
	must(t, o.store.DeletePortal(t.Context(), lab.ID))
	if _, err := o.client.Retry(t.Context(), job.ID, ""); failure.CodeOf(err) != failure.PortalNotFound {
		t.Errorf("retry: %v", err)
	}
	if _, err := o.client.Cancel(t.Context(), job.ID, ""); failure.CodeOf(err) != failure.JobState {
		t.Errorf("cancel: %v", err)
	}
	f, err := o.store.JobWithProgress(t.Context(), job.ID)
	if err != nil || f.Job.Status != transfer.Failed || *f.Job.SourcePortalName != "LAB" {
		t.Errorf("%+v, %v", f.Job, err)
	}
}

func TestARetriedJobGoesWhereItsPortalIsByNow(t *testing.T) {
	o := newOffice(t)
	lab, nas := o.portal("LAB", "lab", "/data"), o.portal("NAS", "", "/nas")
	job := o.submit(between(lab, nas))
	o.end(job)
	label := "newlab"
	_, err := o.store.ChangePortal(t.Context(), lab.ID, func(p db.Portal) (db.Portal, error) { p.WorkerLabel = &label; return p, nil })
	must(t, err)
	job, err = o.client.Retry(t.Context(), job.ID, "")
	if err != nil || job.Queue != "newlab" {
		t.Errorf("%s, %v", job.Queue, err)
	}
	if queue := scan[string](t, o.store, "SELECT queue FROM river_job WHERE id = $1", job.RiverJobID); queue != "newlab" {
		t.Errorf("River's queue is %s", queue)
	}
}

// Whoever comes first, a job that waits always has its portal.
func TestNoJobIsMadeForAPortalThatIsBeingDeleted(t *testing.T) {
	o := newOffice(t)
	nas := o.portal("NAS", "", "/nas")
	const rounds = 40
	deleted := 0
	for round := range rounds {
		lab := o.portal("LAB", "lab", "/data")
		old := o.submit(between(lab, nas))
		o.end(old)
		var together sync.WaitGroup
		var submitted, retried, gone error
		var job db.Job
		if round%2 == 0 {
			together.Go(func() { job, _, submitted = o.client.Submit(t.Context(), between(lab, nas)) })
		} else {
			together.Go(func() { job, retried = o.client.Retry(t.Context(), old.ID, "") })
		}
		together.Go(func() { gone = o.store.DeletePortal(t.Context(), lab.ID) })
		together.Wait()
		made := errors.Join(submitted, retried)
		var use *db.PortalInUse
		switch {
		case gone == nil && failure.CodeOf(made) == failure.PortalNotFound:
			deleted++
			continue
		case made == nil && errors.As(gone, &use):
		default:
			t.Fatalf("made %v, deleted %v", made, gone)
		}
		o.end(job)
		must(t, o.store.DeletePortal(t.Context(), lab.ID))
	}
	t.Logf("%d of %d times the delete came first", deleted, rounds)
}
