package db_test

import (
	"fmt"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// What a backup doesn't know of may be anything below the gap.
func TestARestoredDatabaseGivesNoNumberTwice(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	const lost = 1_000_000
	before := create(t, store, transfer.Copy)
	for range 2 {
		firstJob, firstPortal, err := store.SkipIDs(t.Context())
		must(t, err)
		job := create(t, store, transfer.Copy)
		if job != firstJob || job <= before+lost {
			t.Errorf("after job %d the first new one is %d, told as %d", before, job, firstJob)
		}
		before = job
		portal := createPortal(t, store, fmt.Sprintf("portal-%d", job)).ID
		if portal != firstPortal || portal <= lost {
			t.Errorf("the first new portal is %d, told as %d", portal, firstPortal)
		}
	}
}
