package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// runHistory runs a job of each kind and asks for the history by every filter.
func (l *lab) runHistory(ctx context.Context) error {
	m, err := l.make(ctx, dataset{"history", "src_history", sample.Of(20, 1<<10)})
	if err != nil {
		return err
	}
	for _, w := range slices.Concat(copies, moves) {
		job, problem, err := l.once(ctx, m, w, l.destination, w.Strategy)
		if err != nil {
			return err
		}
		if problem == "" {
			problem, err = l.inHistory(ctx, job.ID, client.ListJobsHistoryParams{Mode: &w.Mode, Status: new(transfer.Success), Strategy: &w.Strategy})
		}
		l.expect("history", fmt.Sprintf("GET /stats/jobs-history has a %s by mode, status and strategy, newest first, and nothing else", w), problem)
		if err != nil {
			return err
		}
	}
	return errors.Join(l.limited(ctx), l.remove(m.side))
}

func (l *lab) limited(ctx context.Context) error {
	page, err := l.api.History(ctx, client.ListJobsHistoryParams{Limit: new(2)})
	problem := ""
	if len(page.Jobs) != 2 {
		problem = fmt.Sprintf("there are %d", len(page.Jobs))
	}
	l.expect("history", "limit=2 is answered with two jobs", problem)
	return err
}

// inHistory looks that a job is among the latest that fit the filters, newest first and without others.
func (l *lab) inHistory(ctx context.Context, id int64, filters client.ListJobsHistoryParams) (problem string, err error) {
	filters.Limit = new(500)
	page, err := l.api.History(ctx, filters)
	if err != nil {
		return "", err
	}
	jobs := page.Jobs
	if !slices.ContainsFunc(jobs, func(j client.Job) bool { return j.ID == id }) {
		return fmt.Sprintf("job %d isn't in the history", id), nil
	}
	for i, j := range jobs {
		if !fits(j, filters) || i > 0 && j.ID > jobs[i-1].ID {
			return fmt.Sprintf("job %d has no place in the history", j.ID), nil
		}
	}
	return "", nil
}

func fits(j client.Job, filters client.ListJobsHistoryParams) bool {
	return is(&j.Mode, filters.Mode) && is(&j.Status, filters.Status) && is(j.Strategy, filters.Strategy)
}

// is reports whether a value is the wanted one; with none wanted, any will do.
func is[T comparable](value, wanted *T) bool {
	return wanted == nil || value != nil && *value == *wanted
}
