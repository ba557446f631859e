package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

const (
	lookEvery = 50 * time.Millisecond
	endWithin = time.Minute // of a job that was cancelled
)

// run has a job done and returns it once it has ended, as whatever. When ctx ends, the job takes too long, or nothing is heard of it
// any more, it is cancelled, and its end waited for.
func (l *lab) run(ctx context.Context, order client.Order, within time.Duration) (client.JobDetail, error) {
	if err := ctx.Err(); err != nil {
		return client.JobDetail{}, err
	}
	posted, err := l.api.Submit(context.WithoutCancel(ctx), order) // it has a deadline; a job whose id is lost can't be cancelled
	if err != nil {
		return client.JobDetail{}, err
	}
	limited, done := context.WithTimeout(ctx, within)
	defer done()
	job, err := l.await(limited, posted.ID)
	if err == nil {
		return job, nil
	}
	job, cancelErr := l.cancel(ctx, posted.ID)
	if cancelErr == nil && ctx.Err() == nil && limited.Err() != nil {
		return job, failure.New(failure.Cancelled, "", fmt.Sprintf("Job %d was cancelled: it had not ended within %v", job.ID, within))
	}
	return job, errors.Join(cancelErr, err)
}

// await looks until the job has ended.
func (l *lab) await(ctx context.Context, id int64) (client.JobDetail, error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		job, err := l.api.Detail(ctx, id)
		if err != nil || job.Status.Final() {
			return job, err
		}
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-ticker.C:
		}
	}
}

// cancel ends a job, or waits for the end of one that can't be cancelled any more. It goes on after ctx has ended.
func (l *lab) cancel(ctx context.Context, id int64) (client.JobDetail, error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer done()
	_, err := l.api.Cancel(ctx, id)
	if err != nil && failure.CodeOf(err) != failure.JobState {
		return client.JobDetail{}, fmt.Errorf("cancelling job %d: %w", id, err)
	}
	job, err := l.await(ctx, id)
	if err != nil {
		return job, &failure.Error{Code: failure.JobState, Err: err, Message: fmt.Sprintf("Job %d has not ended within %v after it was cancelled", id, endWithin),
			Hint: fmt.Sprintf("Look at it (GET /jobs/%d), then remove the labs' folders by hand.", id)}
	}
	l.say("Job %d is %s.", id, job.Status)
	return job, nil
}

// order is a job from one side into another.
func order(from, to Side, w way) client.Order {
	return client.Order{SourcePortal: from.Portal, SourcePath: from.Path, DestinationPortal: to.Portal, DestinationPath: to.Path,
		Mode: w.Mode, Strategy: w.Strategy}
}

// ended says how a job ended otherwise than expected.
func ended(job client.JobDetail) string {
	if job.Error != nil {
		return fmt.Sprintf("job %d is %s with %s: %s", job.ID, job.Status, job.Error.Code, job.Error.Message)
	}
	return fmt.Sprintf("job %d is %s", job.ID, job.Status)
}

func codeOf(job client.JobDetail) failure.Code {
	if job.Error == nil {
		return ""
	}
	return job.Error.Code
}

// event is the payload of a job's event of a kind, decoded into what is given; false if there is none.
func event(job client.JobDetail, kind transfer.EventKind, into any) bool {
	for _, e := range job.Events {
		if e.Kind == kind {
			return json.Unmarshal(e.Payload, into) == nil
		}
	}
	return false
}
