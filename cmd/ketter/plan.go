package main

import (
	"context"
	"crypto/rand"
	"errors"
	"math"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/portal"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// jobPlanner tells the API what a job would do, as far as this process can see.
type jobPlanner struct {
	client *riverjobs.Client
	engine *engine.Engine
}

var _ httpapi.Planner = jobPlanner{}

// Plan implements httpapi.Planner.
func (p jobPlanner) Plan(ctx context.Context, submission transfer.Submission) (httpapi.Plan, error) {
	foreseen, err := p.client.Foresee(ctx, submission)
	if err != nil {
		return httpapi.Plan{}, err
	}
	spec := submission.Spec
	spec.Run = transfer.Run{Installation: "plan", Token: rand.Text()} // of no job: what any has left is not its own
	outlook, err := p.engine.Outlook(ctx, spec)
	if err != nil {
		return httpapi.Plan{}, err
	}
	plan := newPlan(spec, outlook)
	plan.Queue, plan.SourcePortal, plan.DestinationPortal = foreseen.Queue, nameOf(foreseen.Source), nameOf(foreseen.Destination)
	return plan, nil
}

func nameOf(portal *db.Portal) *string {
	if portal == nil {
		return nil
	}
	return &portal.Name
}

// newPlan tells an outlook in the words of the API.
func newPlan(spec transfer.Spec, o engine.Outlook) httpapi.Plan {
	plan := httpapi.Plan{
		DryRun: true, OK: len(o.Problems) == 0, Mode: spec.Mode, SourcePath: spec.Source, DestinationPath: spec.Destination,
		FinalPath: spec.FinalPath(), Verify: spec.Verify, RequestedStrategy: spec.Strategy, Reason: o.Why,
		Files: o.Plan.Files, Bytes: o.Plan.Bytes, NeededBytes: int64(min(o.Needed, math.MaxInt64)), Problems: []httpapi.JobError{},
	}
	if o.Plan.Files > 0 {
		plan.AvgSizeBytes = float64(o.Plan.Bytes) / float64(o.Plan.Files)
	}
	if o.Plan.Strategy != "" {
		plan.Strategy = &o.Plan.Strategy
	}
	if o.Method != "" {
		plan.Method = &o.Method
	}
	if o.Free <= math.MaxInt64 {
		free := int64(o.Free)
		plan.FreeBytes = &free
	}
	if plan.Reason == "" {
		plan.Reason = "the source can't be counted."
	}
	for _, f := range o.Problems {
		plan.Problems = append(plan.Problems, problemOf(f))
	}
	return plan
}

func problemOf(f *failure.Error) httpapi.JobError {
	problem := httpapi.JobError{Code: f.Code, Message: f.Sentence(), Hint: f.Advice()}
	if f.Path != "" {
		problem.Path = &f.Path
	}
	if errors.Is(f, portal.ErrElsewhere) {
		problem.Message += ". What would become of the job can't be judged from here"
		problem.Hint = "Where KETTER_WORKER_LABEL is that label, an API can make the plan, and `ketter transfer --dry-run` one for the path. " +
			"The job itself would run there."
	}
	return problem
}
