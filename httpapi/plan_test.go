package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

// planner makes plans as a test says.
type planner func(ctx context.Context, submission transfer.Submission) (httpapi.Plan, error)

func (p planner) Plan(ctx context.Context, submission transfer.Submission) (httpapi.Plan, error) {
	return p(ctx, submission)
}

// estimator keeps what it was asked for.
type estimator struct {
	asked   *db.EstimateOf
	seconds float64
	jobs    int
	err     error
}

func (e *estimator) Estimate(_ context.Context, of db.EstimateOf) (db.Estimate, error) {
	e.asked = &of
	return db.Estimate{Seconds: e.seconds, Jobs: e.jobs}, e.err
}

// plans answers with a plan of ten files.
func (f *fixture) plans(problems ...httpapi.JobError) *transfer.Submission {
	asked := &transfer.Submission{}
	strategy, method := transfer.Direct, transfer.Copied
	f.options.Planner = planner(func(_ context.Context, s transfer.Submission) (httpapi.Plan, error) {
		*asked = s
		return httpapi.Plan{Mode: s.Spec.Mode, Verify: s.Spec.Verify, RequestedStrategy: s.Spec.Strategy, Strategy: &strategy, Method: &method, Files: 10, Bytes: 1000, Problems: problems}, nil
	})
	return asked
}

const dry = `{"mode":"move","source_path":"/data/a/","destination_path":"/data/b","verify":"size","priority":1,"dry_run":true}`

func TestADryRunIsAnsweredWithAPlanAndRecordsNothing(t *testing.T) {
	f := setup(t)
	asked := f.plans()
	var plan httpapi.Plan
	a := f.send("POST", "/jobs", dry, "Idempotency-Key", "once")
	a.into(t, http.StatusOK, &plan)
	if !plan.DryRun || !plan.OK || plan.Files != 10 || plan.EstimatedSeconds != nil || !strings.Contains(string(a.body), `"problems":[]`) {
		t.Errorf("the plan is %s", a.body)
	}
	if asked.Spec.Source != "/data/a" || asked.Spec.Mode != transfer.Move || asked.Spec.Verify != transfer.Size || asked.Priority != 1 {
		t.Errorf("it was asked for %+v", asked)
	}
	if a.Header.Get("Location") != "" {
		t.Errorf("a plan is nowhere, and not at %s", a.Header.Get("Location"))
	}
	f.nothingInserted()
	if n := f.count("idempotency_keys"); n != 0 {
		t.Errorf("%d keys were kept", n)
	}
	f.send("POST", "/jobs", strings.Replace(dry, `,"dry_run":true`, `,"dry_run":false`, 1), "Idempotency-Key", "once").into(t, http.StatusCreated, new(jobAnswer))
}

func TestAPlanWithAProblemIsNotOK(t *testing.T) {
	f := setup(t)
	path := "/data/b/a"
	f.plans(httpapi.JobError{Code: "destination_exists", Message: "Destination already exists: /data/b/a", Path: &path, Hint: "Choose another."})
	var plan httpapi.Plan
	f.send("POST", "/jobs", dry).into(t, http.StatusOK, &plan)
	if plan.OK || len(plan.Problems) != 1 || *plan.Problems[0].Path != path {
		t.Errorf("the plan is %+v", plan)
	}
}

func TestADryRunIsRefusedAsItsJobWouldBe(t *testing.T) {
	f := setup(t)
	f.plans()
	for _, bad := range []badBody{
		{"outside", strings.Replace(dry, "/data/a/", "/etc/a", 1), 403, "path_not_allowed", "allowed roots"},
		{"a portal that isn't there", strings.Replace(dry, `{`, `{"source_portal":"NONE",`, 1), 404, "portal_not_found", "NONE"},
		{"a word", strings.Replace(dry, `"dry_run":true`, `"dry_run":"yes"`, 1), 400, "invalid_request", "dry_run must be true or false; it is a string"},
		{"null", strings.Replace(dry, `"dry_run":true`, `"dry_run":null`, 1), 400, "invalid_request", "dry_run must be true or false; it is null"},
	} {
		if p := f.send("POST", "/jobs", bad.body).isProblem(t, bad.status, bad.code); !strings.Contains(p.Detail, bad.says) {
			t.Errorf("%s: %s", bad.name, p.Detail)
		}
	}
	f.nothingInserted()
}

func TestAPlanSaysHowLongItMayTake(t *testing.T) {
	f := setup(t)
	f.plans()
	e := &estimator{seconds: 12.5, jobs: 3}
	f.options.Estimator = e
	for _, c := range []struct {
		jobs int
		err  error
		want bool
	}{{3, nil, true}, {0, nil, false}, {3, errors.New("the database is away"), false}} {
		e.jobs, e.err = c.jobs, c.err
		var plan httpapi.Plan
		f.send("POST", "/jobs", dry).into(t, http.StatusOK, &plan)
		if (plan.EstimatedSeconds != nil && *plan.EstimatedSeconds == 12.5 && plan.EstimatedFromJobs == 3) != c.want {
			t.Errorf("%+v: the plan is %+v", c, plan)
		}
	}
	if e.asked.Mode != transfer.Move || e.asked.Strategy != transfer.Direct || e.asked.Renames || e.asked.Files != 10 || e.asked.SourcePortal != nil {
		t.Errorf("asked for %+v", e.asked)
	}
	if !strings.Contains(f.log.String(), "the database is away") {
		t.Error("the log doesn't hold the cause")
	}
}

func TestMorePlansAtOnceThanThereMayBeAreRefused(t *testing.T) {
	f := setup(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	f.options.Planner = planner(func(context.Context, transfer.Submission) (httpapi.Plan, error) {
		begun <- struct{}{}
		<-goOn
		return httpapi.Plan{Mode: transfer.Copy, Verify: transfer.Checksum, RequestedStrategy: transfer.Auto}, nil
	})
	api := httpapi.New(f.options)
	answers := make(chan answer, 3)
	ask := func() { answers <- send(api, "POST", "/jobs", dry) }
	for range 2 {
		go ask()
		<-begun
	}
	send(api, "POST", "/jobs", dry).isProblem(t, http.StatusServiceUnavailable, "too_many_plans")
	close(goOn)
	(<-answers).into(t, http.StatusOK, new(httpapi.Plan))
	(<-answers).into(t, http.StatusOK, new(httpapi.Plan))
	go ask()
	<-begun
	(<-answers).into(t, http.StatusOK, new(httpapi.Plan))
}

// TestWhoGoesAwayDoesNotWaitForAStorageThatHangs: the plan keeps its place until the storage lets go of it.
func TestWhoGoesAwayDoesNotWaitForAStorageThatHangs(t *testing.T) {
	f := setup(t)
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	f.options.Planner = planner(func(context.Context, transfer.Submission) (httpapi.Plan, error) {
		begun <- struct{}{}
		<-goOn // it heeds no context
		return httpapi.Plan{Mode: transfer.Copy, Verify: transfer.Checksum, RequestedStrategy: transfer.Auto}, nil
	})
	api := httpapi.New(f.options)
	for range 2 {
		ctx, away := context.WithCancel(t.Context())
		answered := make(chan answer)
		go func() { answered <- sendWith(ctx, api, dry) }()
		<-begun
		away()
		(<-answered).isProblem(t, http.StatusInternalServerError, "io_error")
	}
	send(api, "POST", "/jobs", dry).isProblem(t, http.StatusServiceUnavailable, "too_many_plans")
	close(goOn)
}

func sendWith(ctx context.Context, h http.Handler, body string) answer {
	return send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(ctx)) }), "POST", "/jobs", body)
}

func TestAnAPIWithoutAPlannerSaysSo(t *testing.T) {
	f := setup(t)
	f.send("POST", "/jobs", dry).isProblem(t, http.StatusNotFound, "not_found")
	f.nothingInserted()
}

func TestAPlanThatPanicsEndsNothingButItself(t *testing.T) {
	f := setup(t)
	f.options.Planner = planner(func(context.Context, transfer.Submission) (httpapi.Plan, error) { panic("a fault") })
	for range 3 { // and keeps no place
		a := f.send("POST", "/jobs", dry)
		a.isProblem(t, http.StatusInternalServerError, "internal")
		if strings.Contains(string(a.body), "fault") || !strings.Contains(f.log.String(), "a fault") {
			t.Errorf("a panic belongs in the log, not in the answer: %s", a.body)
		}
	}
}
