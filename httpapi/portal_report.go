package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/engine/failure"
)

// PortalTester reaches for a portal as a job would, and changes nothing there that it doesn't remove. What it finds amiss is a
// check that failed; an error means that nothing can be said.
type PortalTester interface {
	Test(ctx context.Context, portalID int64) (PortalReport, error)
}

// PortalReport is what a test has found. Its names are a contract.
type PortalReport struct {
	OK     bool          `json:"ok"` // every check is
	Checks []PortalCheck `json:"checks"`
	// How it was reached: "agent" (Ketter's own binary there), "sftp" or "local"; empty when it was not.
	Via               string   `json:"via"`
	LatencySeconds    float64  `json:"latency_seconds"` // of one round trip
	FreeBytes         int64    `json:"free_bytes"`      // -1 where the host doesn't say
	ExtensionsMissing []string `json:"extensions_missing"`
	Tools             []string `json:"tools"` // there, and fit for use
}

// PortalCheck is one thing that was tried, in the order of trying.
type PortalCheck struct {
	Name    string       `json:"name"`
	OK      bool         `json:"ok"`
	Code    failure.Code `json:"code,omitempty"` // of one that failed: what a job would fail with
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
	Seconds float64      `json:"seconds"`
}

// testDeadline bounds a test, and stays below what the CLI waits for an answer.
const testDeadline = 25 * time.Second

func (a *api) testPortal(c *gin.Context) error {
	if err := readNothing(c.Writer, c.Request); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), testDeadline)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	portal, err := a.portalOf(c)
	if err != nil {
		return err
	}
	if a.PortalTester == nil {
		return failure.New(codeNotFound, "", "This Ketter doesn't test portals.")
	}
	report, err := a.PortalTester.Test(ctx, portal.ID)
	switch {
	case err != nil && ctx.Err() != nil:
		return failure.New(failure.PortalUnreachable, "", fmt.Sprintf("The test of portal %s did not come to an end within %s.", portal.Name, testDeadline))
	case err != nil:
		return portalError(portal.Name, err)
	}
	writeJSON(c, http.StatusOK, report.whole())
	return nil
}

// whole makes empty lists of those that are null.
func (r PortalReport) whole() PortalReport {
	r.Checks = append([]PortalCheck{}, r.Checks...)
	r.ExtensionsMissing = append([]string{}, r.ExtensionsMissing...)
	r.Tools = append([]string{}, r.Tools...)
	return r
}
