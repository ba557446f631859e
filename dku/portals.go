package dku

import (
	"context"
	"fmt"
	"sync"

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
	findings := make([]Finding, len(tested))
	places := make(chan struct{}, portalsBeside)
	var testing sync.WaitGroup
	for i, portal := range tested {
		places <- struct{}{}
		testing.Go(func() {
			defer func() { <-places }()
			findings[i] = p.portal(ctx, portal).of(portal.Name)
		})
	}
	testing.Wait()
	if left := len(portals) - len(tested); left > 0 {
		findings = append(findings, warn(fmt.Sprintf("%d more portals were not tested.", left), "Test them by hand: `ketter portals test NAME`."))
	}
	return findings
}

func (p *Probe) portal(ctx context.Context, portal client.Portal) Finding {
	report, err := p.api.TestPortal(ctx, portal.Name)
	if ctx.Err() != nil {
		return fail(fmt.Sprintf("The test did not come to an end within %s.", network), "Try it alone: `ketter portals test "+portal.Name+"`.")
	}
	if err != nil {
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
