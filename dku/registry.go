package dku

import (
	"slices"
	"time"
)

// Deadlines. The longest chain of them ends below Limit, whatever is dead.
const (
	quick   = 2 * time.Second // for one question
	patient = 3 * time.Second // for a first connection, and for what takes a few
	network = 9 * time.Second // for portals, and for the smoke test's jobs

	// Until when, from the beginning, the checks may go on that take long where storages are slow. What stands on them comes after.
	triedUntil    = 8 * time.Second
	preparedUntil = 2*(patient+grace) + preparing // as when the API is slow
	jobsUntil     = Limit - closing - clearing - 2*grace
	clearing      = endingTime + patient
	closing       = 2 * time.Second // connections, and the report

	// Limit is what a run may take.
	Limit = 30 * time.Second
)

// Checks are all that is checked, in the order of a report. The ids don't depend on what is asked.
func (p *Probe) Checks() []Check {
	checks := slices.Concat(p.runtimeChecks(), p.postgresChecks(), p.redisChecks(), p.appChecks(), p.workerChecks(), p.storageChecks())
	if p.target.NoSmoke {
		return checks
	}
	return append(checks, p.smokeChecks()...)
}

// IDs are those of all checks, sorted.
func IDs() []string {
	var ids []string
	for _, c := range (&Probe{target: Target{Roots: []string{"/"}}, smoke: &smoke{}}).Checks() {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
