package httpapi

import (
	"context"
	"fmt"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Planner says what a job would do and what would fail, and changes nothing anywhere. What would fail is a problem of the
// plan; an error means that nothing can be said.
type Planner interface {
	Plan(ctx context.Context, submission transfer.Submission) (Plan, error)
}

// Estimator says how long a job may take, from how long those took that were like it. Without any, jobs is 0.
type Estimator interface {
	Estimate(ctx context.Context, of EstimateOf) (seconds float64, jobs int, err error)
}

// EstimateOf is a job that somebody may want to submit.
type EstimateOf struct {
	Mode              transfer.Mode
	Strategy          transfer.Strategy // DIRECT or ZIP_FIRST
	Renames           bool              // its method is rename, which takes no time for any byte
	SourcePortal      *int64            // nil: a path of the worker's own
	DestinationPortal *int64
	Files, Bytes      int64
}

// Plan is what a job would do, as seen by whoever made the plan. Its names are a contract.
type Plan struct {
	DryRun            bool               `json:"dry_run"` // always
	OK                bool               `json:"ok"`      // there are no problems
	Mode              transfer.Mode      `json:"mode"`
	SourcePath        string             `json:"source_path"`
	DestinationPath   string             `json:"destination_path"`
	SourcePortal      *string            `json:"source_portal"`
	DestinationPortal *string            `json:"destination_portal"`
	FinalPath         string             `json:"final_path"`
	Queue             string             `json:"queue"`
	Verify            transfer.Verify    `json:"verify"`
	RequestedStrategy transfer.Strategy  `json:"requested_strategy"`
	Strategy          *transfer.Strategy `json:"strategy"` // null where the source can't be counted
	Method            *transfer.Method   `json:"method"`
	Reason            string             `json:"reason"`
	Files             int64              `json:"files"`
	Bytes             int64              `json:"bytes"`
	AvgSizeBytes      float64            `json:"avg_size_bytes"`
	NeededBytes       int64              `json:"needed_bytes"`
	FreeBytes         *int64             `json:"free_bytes"` // null where the destination doesn't say
	Problems          []JobError         `json:"problems"`
	EstimatedSeconds  *float64           `json:"estimated_seconds"` // null without jobs to go by
	EstimatedFromJobs int                `json:"estimated_from_jobs"`
}

// JobError is something that would fail, as the job's error would tell it.
type JobError struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Path    *string      `json:"path"` // null where it is no path's
	Hint    string       `json:"hint"`
}

const (
	// planDeadline bounds a plan: to count a million files takes seconds, over a network longer.
	planDeadline = 2 * time.Minute
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
	took, jobs, err := a.Estimator.Estimate(ctx, EstimateOf{
		Mode: spec.Mode, Strategy: *plan.Strategy, Renames: plan.Method != nil && *plan.Method == transfer.Rename,
		SourcePortal: orNull(spec.SourcePortal), DestinationPortal: orNull(spec.DestinationPortal), Files: plan.Files, Bytes: plan.Bytes,
	})
	switch {
	case err != nil:
		a.Logger.Warn().Err(err).Msg("how long a job may take could not be estimated")
	case jobs > 0:
		plan.EstimatedSeconds, plan.EstimatedFromJobs = &took, jobs
	}
}
