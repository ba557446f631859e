package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
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

// readiness is what /readyz answers.
type readiness struct {
	Status string    `json:"status"` // ready, degraded or unavailable
	Checks []verdict `json:"checks"`
}

// verdict is one check's outcome. It says that a check failed, not why: errors of a connection quote where it leads.
type verdict struct {
	Name     string  `json:"name"`
	Required bool    `json:"required"`
	OK       bool    `json:"ok"`
	Seconds  float64 `json:"seconds"`
	Detail   string  `json:"detail,omitempty"`
}

// healthz answers as long as the process can; what it leans on is readyz's affair, for a restart would not mend that.
func (a *api) healthz(c *gin.Context) {
	writeJSON(c, http.StatusOK, gin.H{"status": "ok", "version": a.Version})
}

func (a *api) readyz(c *gin.Context) {
	answer := readiness{Status: "ready", Checks: a.runChecks(c.Request.Context())}
	status := http.StatusOK
	for _, v := range answer.Checks {
		switch {
		case v.OK:
		case v.Required:
			answer.Status, status = "unavailable", http.StatusServiceUnavailable
		case status == http.StatusOK:
			answer.Status = "degraded"
		}
	}
	writeJSON(c, status, answer)
}

// runChecks runs all at once, so that the answer takes no longer than the slowest.
func (a *api) runChecks(ctx context.Context) []verdict {
	verdicts := make([]verdict, len(a.Ready))
	var wg sync.WaitGroup
	for i, check := range a.Ready {
		wg.Go(func() { verdicts[i] = a.runCheck(ctx, check) })
	}
	wg.Wait()
	return verdicts
}

func (a *api) runCheck(ctx context.Context, check Check) verdict {
	began := a.Now()
	err := withinDeadline(ctx, check.Check)
	v := verdict{Name: check.Name, Required: check.Required, OK: err == nil, Seconds: seconds(a.Now().Sub(began))}
	if err == nil {
		return v
	}
	v.Detail = "failed; see the API's log"
	if errors.Is(err, context.DeadlineExceeded) {
		v.Detail = "did not answer within " + checkDeadline.String()
	}
	a.Logger.Warn().Err(err).Str("request_id", requestIDOf(ctx)).Str("check", check.Name).Bool("required", check.Required).Msg("a readiness check failed")
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
