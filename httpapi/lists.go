package httpapi

import (
	"context"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
)

// What a page holds unless it is asked for more or less.
const (
	jobsOnAPage = 50
	jobsOfLate  = 20
)

// ListJobs answers with a page of jobs.
func (a *api) ListJobs(ctx context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	page, _, err := a.page(ctx, filterOf(r.Params), jobsOnAPage)
	return ListJobs200JSONResponse(page), err
}

// ListJobsHistory answers with the same, under the name that the brief gives it.
func (a *api) ListJobsHistory(ctx context.Context, r ListJobsHistoryRequestObject) (ListJobsHistoryResponseObject, error) {
	page, _, err := a.page(ctx, filterOf(ListJobsParams(r.Params)), jobsOfLate)
	return ListJobsHistory200JSONResponse{Body: page}, err
}

func filterOf(p ListJobsParams) db.JobFilter {
	return db.JobFilter{Status: p.Status, Mode: p.Mode, Strategy: p.Strategy, Before: p.Before, Limit: int32(orZero(p.Limit))}
}

// page asks for one job more than it holds: whether there is one decides whether there is a next page.
func (a *api) page(ctx context.Context, filter db.JobFilter, standard int32) (page JobPage, jobs []db.Job, err error) {
	if filter.Limit == 0 {
		filter.Limit = standard
	}
	size := int(filter.Limit)
	filter.Limit++
	jobs, err = a.Jobs.Jobs(ctx, filter)
	if len(jobs) > size {
		jobs = jobs[:size]
		page.NextBefore = &jobs[size-1].ID
	}
	page.Jobs = viewJobs(jobs, a.Now())
	return page, jobs, err
}

// GetJobsSummary answers with figures.
func (a *api) GetJobsSummary(ctx context.Context, r GetJobsSummaryRequestObject) (GetJobsSummaryResponseObject, error) {
	return nil, failure.New(codeNotFound, "", "TEMPORARY")
}
