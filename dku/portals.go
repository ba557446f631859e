package dku

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ketter/ketter/httpapi/client"
)

const (
	mostPortals   = 64 // that are tested; more are told
	portalsBeside = 16 // at once: most of a test is waiting
)

// portals has a finding for each portal. The API reaches for them, as a job would from its host.
func (p *Probe) portals(ctx context.Context) []Finding {
	portals, err := p.api.Portals(ctx)
	if err != nil {
		return []Finding{fail("The portals could not be listed: "+sentence(err), advice(err, "See the API's log."))}
	}
	if len(portals) == 0 {
		return []Finding{ok("There are no portals.").with(0, "portals")}
	}
	tested := portals[:min(len(portals), mostPortals)]
	findings := testAll(ctx, tested, p.portal)
	if left := len(portals) - len(tested); left > 0 {
		findings = append(findings, warn(fmt.Sprintf("%d more portals were not tested.", left), "Test them by hand: `ketter portals test NAME`."))
	}
	return findings
}

// testAll tests some at once, and gives each its share of the time, so that silent ones leave time to those behind them.
func testAll(ctx context.Context, portals []client.Portal, test func(context.Context, client.Portal) Finding) []Finding {
	findings := make([]Finding, len(portals))
	places := make(chan struct{}, portalsBeside)
	share := shareOf(ctx, len(portals))
	var testing sync.WaitGroup
	for i, portal := range portals {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			findings[i] = untested(ctx, portal).of(portal.Name)
			continue
		}
		testing.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, share)
			defer cancel()
			findings[i] = test(ctx, portal).of(portal.Name)
		})
	}
	testing.Wait()
	return findings
}

// shareOf is how long each of some tests may take, so that all come to their turn.
func shareOf(ctx context.Context, tests int) time.Duration {
	left := network
	if deadline, has := ctx.Deadline(); has {
		left = time.Until(deadline)
	}
	turns := max(1, (tests+portalsBeside-1)/portalsBeside)
	return left / time.Duration(turns)
}

func untested(ctx context.Context, portal client.Portal) Finding {
	if interrupted(ctx) {
		return notDone()
	}
	return warn("Not tested: those before it took the time.", tryAlone(portal))
}

func tryAlone(portal client.Portal) string {
	return "Try it alone: `ketter portals test " + portal.Name + "`."
}

func (p *Probe) portal(ctx context.Context, portal client.Portal) Finding {
	began := time.Now()
	report, err := p.api.TestPortal(ctx, portal.Name)
	switch {
	case interrupted(ctx):
		return notDone()
	case ctx.Err() != nil:
		return fail(fmt.Sprintf("The test did not come to an end within %.1f s.", time.Since(began).Seconds()), tryAlone(portal))
	case err != nil:
		return fail("The portal could not be tested: "+sentence(err), advice(err, "See the API's log."))
	}
	for _, check := range report.Checks {
		if !check.OK {
			return fail(fmt.Sprintf("%s: %s", check.Name, check.Message), orElse(check.Hint, "`ketter portals test "+portal.Name+"` says more."))
		}
	}
	return portalSpace(report)
}

func portalSpace(report client.PortalReport) Finding {
	message := fmt.Sprintf("Reached by %s, written to; a round trip takes %.1f ms", report.Via, report.LatencySeconds*1000)
	if report.FreeBytes < 0 {
		return ok(message+". It doesn't tell its free space.").with(report.LatencySeconds*1000, "ms")
	}
	if free := float64(report.FreeBytes); free < leastBytes {
		return fail(fmt.Sprintf("%s, but only %s are free.", message, size(free)), "Make room there; jobs to it fail with destination_full.").
			with(free, "bytes")
	}
	return ok(fmt.Sprintf("%s; %s are free.", message, size(float64(report.FreeBytes)))).with(report.LatencySeconds*1000, "ms")
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
