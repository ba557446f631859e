package dku

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ketter/ketter/httpapi/client"
)

// testPortals tests so many portals of which the first are silent, and counts the findings by verdict.
func testPortals(ctx context.Context, silent, all int) map[Verdict]int {
	portals := make([]client.Portal, all)
	for i := range portals {
		portals[i] = client.Portal{ID: int64(i), Name: fmt.Sprint(i)}
	}
	counts := map[Verdict]int{}
	for _, f := range testAll(ctx, portals, func(ctx context.Context, portal client.Portal) Finding {
		if portal.ID < int64(silent) {
			<-ctx.Done()
			return fail("silent", "wake it")
		}
		return ok("well")
	}) {
		counts[f.Verdict]++
	}
	return counts
}

func TestSilentPortalsLeaveTimeToThoseBehindThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), network)
		defer cancel()
		if counts := testPortals(ctx, 2*portalsBeside, mostPortals); counts[Fail] != 2*portalsBeside || counts[OK] != mostPortals-2*portalsBeside {
			t.Errorf("%v", counts)
		}
	})
}

func TestAPortalThatNoTimeIsLeftForIsNotAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if counts := testPortals(ctx, portalsBeside, portalsBeside+3); counts[Warn] != 3 || counts[Fail] != portalsBeside {
			t.Errorf("%v", counts)
		}
	})
}
