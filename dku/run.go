package dku

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ketter/ketter/infra/redact"
)

// grace is what a check has to notice its deadline before it is left behind.
const grace = 500 * time.Millisecond

// outcome is a check's place in a run.
type outcome struct {
	done   chan struct{} // closed when failed is set
	failed string        // the check that failed, this one or one that it needs; empty: none
}

// Run runs all checks and calls found with the findings of each as it ends, one call at a time. It returns after Longest at
// the latest. Once ctx ends no more checks begin, save those that clear away.
func Run(ctx context.Context, checks []Check, redactor redact.Redactor, found func([]Finding)) {
	began := time.Now()
	outcomes := make(map[string]*outcome, len(checks))
	owns := make([]*outcome, len(checks)) // of two with one key, each has its own
	for i, c := range checks {
		owns[i] = &outcome{done: make(chan struct{})}
		outcomes[c.key()] = owns[i]
	}
	var telling sync.Mutex
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() {
			findings := c.complete(c.inTurn(ctx, began, outcomes), redactor)
			telling.Lock()
			found(findings)
			telling.Unlock()
			owns[i].failed = c.failed(findings)
			close(owns[i].done)
		})
	}
	running.Wait()
}

// inTurn waits for the checks before it, which all end, and runs unless one that it needs has failed or was not run.
func (c Check) inTurn(ctx context.Context, began time.Time, outcomes map[string]*outcome) []Finding {
	for _, before := range c.before() {
		<-outcomes[before].done
	}
	for _, need := range c.Needs {
		if failed := outcomes[need].failed; failed != "" {
			return []Finding{notRun(failed)}
		}
	}
	if c.Always {
		ctx = context.WithoutCancel(ctx)
	}
	if ctx.Err() != nil {
		return []Finding{warn("Not run, because the DKU was interrupted.", "Run it again.")}
	}
	return c.bounded(ctx, max(c.Deadline, c.Until-time.Since(began)))
}

func notRun(failed string) Finding {
	f := warn(fmt.Sprintf("Not run, because %s failed.", failed), fmt.Sprintf("Mend %s first, then run the DKU again.", failed))
	f.BlockedBy = failed
	return f
}

// failed is what keeps from running what needs this check; empty: nothing.
func (c Check) failed(findings []Finding) string {
	if worst(findings) == Fail {
		return c.key()
	}
	for _, f := range findings {
		if f.BlockedBy != "" {
			return f.BlockedBy
		}
	}
	return ""
}

// bounded doesn't wait for a check that doesn't heed its deadline.
func (c Check) bounded(ctx context.Context, deadline time.Duration) []Finding {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer := make(chan []Finding, 1)
	go func() { answer <- c.Run(ctx) }()
	abandon := time.NewTimer(deadline + grace)
	defer abandon.Stop()
	select {
	case findings := <-answer:
		return findings
	case <-abandon.C:
		return []Finding{fail(fmt.Sprintf("No answer within %s; it hangs.", deadline.Round(time.Second)),
			"Something below does not answer at all: a network storage that is gone, mostly. Look at dmesg and mount.")}
	}
}
