package httpapi

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Check is one thing the service leans on. Without a required one it can't take jobs; without another it works, but less
// well. What Check says in its error is logged, never shown.
type Check struct {
	Name     string
	Required bool
	Check    func(context.Context) error
}

// checkDeadline is less than what load balancers commonly grant a probe.
const checkDeadline = 2 * time.Second

// GetHealth answers as long as the process can; what it leans on is readiness' affair, for a restart would not mend that.
func (a *api) GetHealth(context.Context, GetHealthRequestObject) (GetHealthResponseObject, error) {
	return GetHealth200JSONResponse{Status: "ok", Version: a.Version}, nil
}

// GetReadiness says that a check failed, not why: errors of a connection quote where it leads.
func (a *api) GetReadiness(ctx context.Context, _ GetReadinessRequestObject) (GetReadinessResponseObject, error) {
	answer, available := Readiness{Status: "ready", Checks: a.runChecks(request(ctx).Request.Context())}, true
	for _, check := range answer.Checks {
		switch {
		case check.OK:
		case check.Required:
			answer.Status, available = "unavailable", false
		case available:
			answer.Status = "degraded"
		}
	}
	if !available {
		return GetReadiness503JSONResponse(answer), nil
	}
	return GetReadiness200JSONResponse(answer), nil
}

// runChecks runs all at once, so that the answer takes no longer than the slowest.
func (a *api) runChecks(ctx context.Context) []ReadinessCheck {
	verdicts := make([]ReadinessCheck, len(a.Ready))
	var wg sync.WaitGroup
	for i, check := range a.Ready {
		wg.Go(func() { verdicts[i] = a.runCheck(ctx, check) })
	}
	wg.Wait()
	return verdicts
}

func (a *api) runCheck(ctx context.Context, check Check) ReadinessCheck {
	began := a.Now()
	err := withinDeadline(ctx, check.Check)
	v := ReadinessCheck{Name: check.Name, Required: check.Required, OK: err == nil, Seconds: seconds(a.Now().Sub(began))}
	if err == nil {
		return v
	}
	v.Detail = "failed; see the API's log"
	if errors.Is(err, context.DeadlineExceeded) {
		v.Detail = "did not answer within " + checkDeadline.String()
	}
	a.Logger.Warn().Err(err).Str("check", check.Name).Bool("required", check.Required).Msg("a readiness check failed")
	return v
}

// withinDeadline doesn't wait for a check that doesn't heed its context.
func withinDeadline(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkDeadline)
	defer cancel()
	outcome := make(chan error, 1)
	go func() { outcome <- check(ctx) }()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
