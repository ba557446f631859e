package httpapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// CreateJob records a job, or only plans it. Whether its paths exist is for the worker to find: they are its host's, not this one's.
func (a *api) CreateJob(ctx context.Context, r CreateJobRequestObject) (CreateJobResponseObject, error) {
	patient := request(ctx).Request.Context() // a plan takes longer than what waits for the database
	defer within(request(ctx), workDeadline)()
	submission, err := a.submission(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	if orZero(r.Body.DryRun) {
		plan, err := a.plan(patient, submission)
		grantAnswer(request(ctx)) // a plan may have taken all of the time that an answer has
		if err != nil {
			return nil, err
		}
		planned := CreateJob200JSONResponse{}
		err = planned.Body.FromPlan(plan)
		return planned, err
	}
	submission.IdempotencyKey = orZero(r.Params.IdempotencyKey)
	submission.RequestID, submission.SubmittedBy = requestID(request(ctx)), askedBy(ctx)
	job, created, err := a.Submitter.Submit(ctx, submission)
	if err != nil {
		return nil, err
	}
	location := fmt.Sprintf("/jobs/%d", job.ID)
	if created {
		return CreateJob201JSONResponse{Body: viewJob(job, a.Now()), Headers: CreateJob201ResponseHeaders{Location: location}}, nil
	}
	again := CreateJob200JSONResponse{Headers: CreateJob200ResponseHeaders{Location: &location}} // asked for before, under the same key
	err = again.Body.FromJob(viewJob(job, a.Now()))
	return again, err
}

// submission makes one of what is asked for, with the portals that it names.
func (a *api) submission(ctx context.Context, asked JobRequest) (s transfer.Submission, err error) {
	if s, err = parseJob(asked); err != nil {
		return s, err
	}
	for _, p := range []struct {
		ref *portalRef
		id  *int64
	}{{asked.SourcePortal, &s.Spec.SourcePortal}, {asked.DestinationPortal, &s.Spec.DestinationPortal}} {
		if p.ref == nil {
			continue
		}
		portal, err := a.findPortal(ctx, string(*p.ref))
		if err != nil {
			return s, err
		}
		*p.id = portal.ID
	}
	return s, checkPaths(s.Spec, a.AllowedRoots)
}

// CancelJob answers with the job as the request leaves it.
func (a *api) CancelJob(ctx context.Context, r CancelJobRequestObject) (CancelJobResponseObject, error) {
	job, err := a.Operator.Cancel(ctx, r.ID, askedBy(ctx))
	return CancelJob200JSONResponse(viewJob(job, a.Now())), unknownJob(r.ID, err)
}

// RetryJob answers with the job as the request leaves it.
func (a *api) RetryJob(ctx context.Context, r RetryJobRequestObject) (RetryJobResponseObject, error) {
	job, err := a.Operator.Retry(ctx, r.ID, askedBy(ctx))
	return RetryJob200JSONResponse(viewJob(job, a.Now())), unknownJob(r.ID, err)
}

// GetJob answers with the job and how far it is.
func (a *api) GetJob(ctx context.Context, r GetJobRequestObject) (GetJobResponseObject, error) {
	found, err := a.Jobs.JobWithProgress(ctx, r.ID)
	return GetJob200JSONResponse(viewWithProgress(found, a.Now())), unknownJob(r.ID, err)
}

// GetJobDetail answers with the job and all its events.
func (a *api) GetJobDetail(ctx context.Context, r GetJobDetailRequestObject) (GetJobDetailResponseObject, error) {
	found, err := a.Jobs.Follow(ctx, r.ID, 0, db.AllEvents)
	return GetJobDetail200JSONResponse(viewDetail(found, a.Now())), unknownJob(r.ID, err)
}

// unknownJob gives db.ErrNotFound its sentence and leaves other errors alone.
func unknownJob(id int64, err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return failure.New(codeNotFound, "", fmt.Sprintf("There is no job %d.", id))
	}
	return err
}
