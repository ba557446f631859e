package survival

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// Leases are renewed for as long as there are jobs, in a table of a few rows: its updates must stay on their page, or it
// grows without end.
func TestRenewingLeasesDoesNotBloatTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.lease, b.beat = 10*time.Second, 10*time.Millisecond
	for i := range 12_000 { // which takes seconds, whatever the machine
		b.plantFile(fmt.Sprintf("take/reel %d/take %d", i%20, i), 100)
	}
	b.serve()
	b.worker("w1")
	b.worker("w2")
	updates := func() int {
		return ask[int](b, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'job_runs'")
	}
	enough, jobs := either(300, 5000), 0
	for deadline := time.Now().Add(either(2*time.Minute, 20*time.Minute)); updates() < enough && time.Now().Before(deadline); jobs++ {
		o := b.order("take", transfer.Copy, transfer.Direct)
		o.Destination = fmt.Sprintf("%s/%d", b.to, jobs)
		b.await(b.submit(o), transfer.Success, 2*time.Minute)
		must(t, os.RemoveAll(o.Destination))
	}
	var renewed, hot, size int
	must(t, b.store.Pool().QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd, pg_relation_size(relid)
		FROM pg_stat_user_tables WHERE relname = 'job_runs'`).Scan(&renewed, &hot, &size))
	t.Logf("%d renewals in %d jobs, %d of them on their page; the table takes %d bytes", renewed, jobs, hot, size)
	if renewed < enough || hot < renewed*95/100 {
		t.Errorf("only %d of %d renewals stayed on their page", hot, renewed)
	}
	if size > (8+jobs)*8<<10 { // a new run may begin a page, until the next vacuum
		t.Errorf("the table has grown to %d bytes", size)
	}
	if n := ask[int](b, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'jobs'"); n > 20*jobs {
		t.Errorf("jobs were updated %d times: a renewal rewrites the job's own row", n)
	}
}
