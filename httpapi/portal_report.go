package httpapi

import (
	"context"
	"fmt"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// PortalTester reaches for a portal as a job would, and changes nothing there that it doesn't remove. What it finds amiss is a
// check that failed; an error means that nothing can be said.
type PortalTester interface {
	Test(ctx context.Context, portalID int64) (PortalReport, error)
}

// testDeadline bounds a test, and stays below what the CLI waits for an answer.
const testDeadline = 25 * time.Second

// TestPortal answers with what a test has found.
func (a *api) TestPortal(ctx context.Context, r TestPortalRequestObject) (TestPortalResponseObject, error) {
	defer within(request(ctx), testDeadline)()
	portal, err := a.findPortal(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if a.PortalTester == nil {
		return nil, failure.New(codeNotFound, "", "This Ketter doesn't test portals.")
	}
	report, err := a.PortalTester.Test(ctx, portal.ID)
	if err != nil && ctx.Err() != nil {
		err = failure.New(failure.PortalUnreachable, "", fmt.Sprintf("The test of portal %s did not come to an end within %s.", portal.Name, testDeadline))
	}
	return TestPortal200JSONResponse(complete(report)), portalError(portal.Name, err)
}

// complete makes empty lists of those that are null.
func complete(r PortalReport) PortalReport {
	r.Checks = append([]PortalCheck{}, r.Checks...)
	r.ExtensionsMissing = append([]string{}, r.ExtensionsMissing...)
	r.Tools = append([]string{}, r.Tools...)
	return r
}
