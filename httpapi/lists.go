package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/ketter/ketter/db"
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

// ListJobsHistory answers with the same, under the name that the brief gives it, and as a table too.
func (a *api) ListJobsHistory(ctx context.Context, r ListJobsHistoryRequestObject) (ListJobsHistoryResponseObject, error) {
	page, jobs, err := a.page(ctx, filterOf(ListJobsParams(r.Params)), jobsOfLate)
	if err != nil {
		return nil, err
	}
	head := ListJobsHistory200ResponseHeaders{Link: nextPage(request(ctx).Request.URL, page.NextBefore)}
	if !wantsCSV(ctx) {
		return ListJobsHistory200JSONResponse{Body: page, Headers: head}, nil
	}
	var table bytes.Buffer
	err = jobsCSV(&table, jobs, a.Now())
	return ListJobsHistory200TextCsvResponse{Body: &table, ContentLength: int64(table.Len()), Headers: head}, err
}

// nextPage is the header Link to the page after one; nil: that was the last one.
func nextPage(asked *url.URL, before *int64) *string {
	if before == nil {
		return nil
	}
	query := asked.Query()
	query.Set("before", strconv.FormatInt(*before, 10))
	return new(fmt.Sprintf(`<%s?%s>; rel="next"`, asked.Path, query.Encode()))
}

// wantsCSV reports whether who asks would rather have a table than JSON.
func wantsCSV(ctx context.Context) bool {
	c := request(ctx)
	c.Header("Vary", "Accept")
	return c.NegotiateFormat("application/json", "text/csv") == "text/csv"
}

func filterOf(p ListJobsParams) db.JobFilter {
	return db.JobFilter{
		Status: p.Status, Mode: p.Mode, Strategy: p.Strategy, Code: p.Code, Portal: p.Portal, Since: p.Since, Until: p.Until,
		Before: p.Before, Limit: int32(orZero(p.Limit)),
	}
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

// GetJobsSummary answers with figures of many jobs.
func (a *api) GetJobsSummary(ctx context.Context, r GetJobsSummaryRequestObject) (GetJobsSummaryResponseObject, error) {
	groups, err := a.Jobs.Summary(ctx, db.SummaryFilter{
		Mode: r.Params.Mode, Strategy: r.Params.Strategy, Portal: r.Params.Portal, Since: r.Params.Since, Until: r.Params.Until,
	})
	if err != nil {
		return nil, err
	}
	if wantsCSV(ctx) {
		var table bytes.Buffer
		err = summaryCSV(&table, groups)
		return GetJobsSummary200TextCsvResponse{Body: &table, ContentLength: int64(table.Len())}, err
	}
	return GetJobsSummary200JSONResponse{Since: utc(r.Params.Since), Until: utc(r.Params.Until), Groups: viewGroups(groups)}, nil
}

func viewGroups(groups []db.SummaryGroup) []SummaryGroup {
	views := make([]SummaryGroup, len(groups)) // never nil: an empty list is [], not null
	for i, g := range groups {
		views[i] = SummaryGroup{
			Strategy: g.Strategy, Mode: g.Mode, SourcePortal: g.SourcePortal, DestinationPortal: g.DestinationPortal,
			Jobs: g.Jobs(), Succeeded: g.Succeeded, Failed: g.Failed, Cancelled: g.Cancelled, Unfinished: g.Unfinished,
			Files: g.Files, Bytes: g.Bytes, DurationMedianSeconds: g.MedianSeconds, DurationP95Seconds: g.P95Seconds,
			MBPerSecond: g.MBPerSecond, FilesPerSecond: g.FilesPerSecond, Failures: map[string]int{},
		}
		for code, jobs := range g.Failures {
			views[i].Failures[string(code)] = int(jobs)
		}
	}
	return views
}
