package dku

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	healthz  = "app.healthz"
	readyz   = "app.readyz"
	startAPI = "Start it: `ketter up`, or `ketter serve`. If it runs elsewhere, say where: --api http://HOST:8000."
)

func (p *Probe) appChecks() []Check {
	return []Check{
		{ID: healthz, Deadline: patient, Run: one(p.healthz)},
		{ID: readyz, Deadline: patient, Needs: []string{healthz}, Run: one(p.readyz)},
		{ID: "app.version", Deadline: quick, Needs: []string{healthz}, Run: one(p.appVersion)},
	}
}

// health is what GET /healthz answers.
type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

func (p *Probe) healthz(ctx context.Context) Finding {
	if p.apiErr != nil {
		return fail(sentence(p.apiErr), advice(p.apiErr, startAPI))
	}
	began := time.Now()
	var answer health
	switch err := p.api.Get(ctx, "/healthz", &answer); {
	case err != nil:
		return fail("The API does not answer: "+sentence(err), startAPI)
	case answer.Status != "ok":
		return fail(p.target.API+" does not answer as Ketter does.", startAPI)
	}
	return ok("The API answers at "+p.target.API+".").with(milliseconds(time.Since(began)), "ms")
}

// readiness is what GET /readyz answers.
type readiness struct {
	Checks []readyCheck `json:"checks"`
}

type readyCheck struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	OK       bool   `json:"ok"`
	Detail   string `json:"detail"`
}

func (p *Probe) readyz(ctx context.Context) Finding {
	began := time.Now()
	var answer readiness
	if err := p.api.Get(ctx, "/readyz", &answer); err != nil {
		return fail("The API does not say whether it is ready: "+sentence(err), startAPI)
	}
	return answer.finding().with(milliseconds(time.Since(began)), "ms")
}

func (r readiness) finding() Finding {
	var amiss []string
	required := false
	for _, check := range r.Checks {
		if !check.OK {
			amiss = append(amiss, fmt.Sprintf("%s %s", check.Name, check.Detail))
			required = required || check.Required
		}
	}
	const see = "The findings on these parts say more; the API's log says why."
	switch said := strings.Join(amiss, "; "); {
	case len(r.Checks) == 0:
		return fail("The API does not answer as Ketter does: it names no checks.", startAPI)
	case required:
		return fail("The API can't take jobs: "+said+".", see)
	case len(amiss) > 0:
		return warn("The API takes jobs, but "+said+".", see)
	}
	return ok("The API is ready to take jobs.")
}

func (p *Probe) appVersion(ctx context.Context) Finding {
	var answer health
	if err := p.api.Get(ctx, "/healthz", &answer); err != nil {
		return notTold(err)
	}
	if answer.Version != p.target.Version {
		return warn(fmt.Sprintf("The API is ketter %s, this DKU is %s.", answer.Version, p.target.Version),
			"Install the same version everywhere, and restart the services that still run the other one.")
	}
	return ok("The API is ketter " + answer.Version + ", as this DKU is.")
}
