package riverjobs_test

import (
	"testing"
	"time"

	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// The reconciliation looks at what waits or runs, and at none of the history. Every worker does it, once per lease.
func TestTheReconciliationReadsNoHistory(t *testing.T) {
	t.Parallel()
	store, url := testdb.New(t)
	testdb.Fill(t, store, testdb.ScaleJobs(t))
	const waitOrRun = 300
	for name, general := range map[string]bool{"plans for the parameters": false, "general plans": true} {
		t.Run(name, func(t *testing.T) {
			explainer := testdb.Explain(t, url, general)
			for sql, args := range map[string][]any{
				riverjobs.StrandedSQL: {time.Hour, (*int64)(nil), time.Minute},
				riverjobs.OutlivedSQL: {time.Hour},
			} {
				found, err := explainer.Exec(t.Context(), sql, args...)
				must(t, err)
				if found.RowsAffected() != 0 {
					t.Errorf("%d rows: %s", found.RowsAffected(), sql)
				}
			}
			for _, plan := range explainer.Plans {
				t.Logf("%.3f ms %s", plan.Milliseconds, plan.SQL)
				if plan.ReadsWhole("jobs") || plan.Read("jobs") > waitOrRun || plan.Sorted() > waitOrRun {
					t.Errorf("%.0f rows of jobs are read: %s", plan.Read("jobs"), plan)
				}
			}
		})
	}
}
