package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Planner says what a job would do and what would fail, and changes nothing anywhere. What would fail is a problem of the
// plan; an error means that nothing can be said.
type Planner interface {
	Plan(ctx context.Context, submission transfer.Submission) (Plan, error)
}

// Estimator says how long a job may take, from how long those took that were like it.
type Estimator interface {
	Estimate(ctx context.Context, of db.EstimateOf) (db.Estimate, error)
}

const (
	// planDeadline bounds a plan: to count a million files takes seconds, over a network longer.
	planDeadline = 2 * time.Minute
	// planAnswer is what its answer, of some KiB, may then take to be received.
	planAnswer = 30 * time.Second
	// mostPlans is how many are made at once; each keeps a storage busy.
	mostPlans = 2
)

// plan says what a job would do, with how long it may take.
func (a *api) plan(ctx context.Context, submission transfer.Submission) (Plan, error) {
	if a.Planner == nil {
		return Plan{}, failure.New(codeNotFound, "", "This Ketter makes no plans.")
	}
	ctx, cancel := context.WithTimeout(ctx, planDeadline)
	defer cancel()
	plan, err := a.makePlan(ctx, submission)
	if err != nil && ctx.Err() != nil {
		return Plan{}, overdue(submission.Spec)
	}
	if err != nil {
		return Plan{}, err
	}
	a.estimate(ctx, submission.Spec, &plan)
	plan.DryRun, plan.OK = true, len(plan.Problems) == 0
	plan.Problems = append([]JobError{}, plan.Problems...) // [], not null
	return plan, nil
}

// makePlan doesn't wait for a storage that hangs: the answer says so then, and the plan keeps its place among mostPlans until
// the storage lets go of it.
func (a *api) makePlan(ctx context.Context, submission transfer.Submission) (Plan, error) {
	select {
	case a.planning <- struct{}{}:
	default:
		return Plan{}, failure.New(codeTooManyPlans, "", fmt.Sprintf("%d plans are being made already.", mostPlans))
	}
	type outcome struct {
		plan Plan
		err  error
	}
	made := make(chan outcome, 1)
	go func() {
		defer func() { <-a.planning }()
		plan, err := a.Planner.Plan(ctx, submission)
		made <- outcome{plan, err}
	}()
	select {
	case o := <-made:
		return o.plan, o.err
	case <-ctx.Done():
		return Plan{}, ctx.Err()
	}
}

// grantAnswer gives the answer to a plan its time from now on. Until then nothing was written, and so nothing is broken.
func grantAnswer(c *gin.Context) {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(planAnswer)) // a recorder has none
}

// overdue is a plan that came to no end.
func overdue(spec transfer.Spec) error {
	code := failure.IOError
	if spec.SourcePortal != 0 || spec.DestinationPortal != 0 {
		code = failure.PortalUnreachable
	}
	return &failure.Error{Code: code, Message: fmt.Sprintf("The plan did not come to an end within %s.", planDeadline),
		Hint: "Is a storage hanging, or the source very large? A job itself has no such limit: submit it without dry_run, or plan a part."}
}

// estimate adds how long it may take. A plan without it is a plan, too.
func (a *api) estimate(ctx context.Context, spec transfer.Spec, plan *Plan) {
	if a.Estimator == nil || plan.Strategy == nil {
		return
	}
	estimate, err := a.Estimator.Estimate(ctx, db.EstimateOf{
		Mode: spec.Mode, Strategy: *plan.Strategy, Renames: plan.Method != nil && *plan.Method == transfer.Rename,
		SourcePortal: orNull(spec.SourcePortal), DestinationPortal: orNull(spec.DestinationPortal), Files: plan.Files, Bytes: plan.Bytes,
	})
	switch {
	case err != nil:
		a.Logger.Warn().Err(err).Msg("how long a job may take could not be estimated")
	case estimate.Jobs > 0:
		plan.EstimatedSeconds, plan.EstimatedFromJobs = &estimate.Seconds, estimate.Jobs
	}
}
