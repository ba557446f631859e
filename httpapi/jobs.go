package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// createJob records a job. Whether its paths exist is for the worker to find: they are its host's, not this one's.
func (a *api) createJob(c *gin.Context) error {
	if _, err := parseQuery(c); err != nil {
		return err
	}
	members, err := readObject(c.Writer, c.Request)
	if err != nil {
		return err
	}
	submission, err := a.parseSubmission(c.Request.Context(), members)
	if err != nil {
		return err
	}
	if submission.IdempotencyKey, err = idempotencyKey(c.Request.Header); err != nil {
		return err
	}
	submission.SubmittedBy = askedBy(c.Request.Context())
	job, created, err := a.Submitter.Submit(c.Request.Context(), submission)
	if err != nil {
		return err
	}
	status := http.StatusOK // asked for before, under the same key
	if created {
		status = http.StatusCreated
	}
	c.Header("Location", fmt.Sprintf("/jobs/%d", job.ID))
	writeJSON(c, status, viewJob(job, a.Now()))
	return nil
}

// parseSubmission makes a submission of a request's members, with the portals it names.
func (a *api) parseSubmission(ctx context.Context, members []member) (transfer.Submission, error) {
	asked, err := parseJob(members)
	if err != nil {
		return asked.submission, err
	}
	spec := &asked.submission.Spec
	for _, p := range []struct {
		ref string
		id  *int64
	}{{asked.sourcePortal, &spec.SourcePortal}, {asked.destinationPortal, &spec.DestinationPortal}} {
		if p.ref == "" {
			continue
		}
		portal, err := a.findPortal(ctx, p.ref)
		if err != nil {
			return asked.submission, err
		}
		*p.id = portal.ID
	}
	return asked.submission, checkPaths(*spec, a.AllowedRoots)
}

func (a *api) cancelJob(c *gin.Context) error { return a.operate(c, a.Operator.Cancel) }

func (a *api) retryJob(c *gin.Context) error { return a.operate(c, a.Operator.Retry) }

// operate answers with the job as the operator's request leaves it.
func (a *api) operate(c *gin.Context, do func(context.Context, int64, string) (db.Job, error)) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if err := readNothing(c.Writer, c.Request); err != nil {
		return err
	}
	job, err := do(c.Request.Context(), id, askedBy(c.Request.Context()))
	if err != nil {
		return unknownJob(id, err)
	}
	writeJSON(c, http.StatusOK, viewJob(job, a.Now()))
	return nil
}

// listJobs asks for one job more than the page holds: whether there is one decides whether there is a next page.
func (a *api) listJobs(c *gin.Context) error {
	query, err := parseQuery(c, "status", "mode", "strategy", "limit", "before")
	if err != nil {
		return err
	}
	filter, err := parseFilter(query, 50)
	if err != nil {
		return err
	}
	size := int(filter.Limit)
	filter.Limit++
	jobs, err := a.Jobs.Jobs(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	var page struct {
		Jobs       []jobView `json:"jobs"`
		NextBefore *int64    `json:"next_before"`
	}
	if len(jobs) > size {
		jobs = jobs[:size]
		page.NextBefore = &jobs[size-1].ID
	}
	page.Jobs = viewJobs(jobs, a.Now())
	writeJSON(c, http.StatusOK, page)
	return nil
}

func (a *api) jobsHistory(c *gin.Context) error {
	query, err := parseQuery(c, "limit", "mode", "status", "strategy")
	if err != nil {
		return err
	}
	filter, err := parseFilter(query, 20)
	if err != nil {
		return err
	}
	jobs, err := a.Jobs.Jobs(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, gin.H{"jobs": viewJobs(jobs, a.Now())})
	return nil
}

func (a *api) showJob(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	found, err := a.Jobs.JobWithProgress(c.Request.Context(), id)
	if err != nil {
		return unknownJob(id, err)
	}
	writeJSON(c, http.StatusOK, viewOne(found, a.Now()))
	return nil
}

func (a *api) showDetail(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	found, err := a.Jobs.Follow(c.Request.Context(), id, 0, db.AllEvents)
	if err != nil {
		return unknownJob(id, err)
	}
	writeJSON(c, http.StatusOK, viewDetail(found, a.Now()))
	return nil
}

// jobID returns the id in a route that takes nothing else.
func jobID(c *gin.Context) (int64, error) {
	if _, err := parseQuery(c); err != nil {
		return 0, err
	}
	return parseID("The id", c.Param("id"))
}

// unknownJob gives db.ErrNotFound its sentence and leaves other errors alone.
func unknownJob(id int64, err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return failure.New(codeNotFound, "", fmt.Sprintf("There is no job %d.", id))
	}
	return err
}
