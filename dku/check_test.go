package dku

import (
	"strings"
	"testing"

	"github.com/ketter/ketter/infra/redact"
)

// A password that is a word of the report's own is weak, but a report without its ids helps nobody.
func TestAPasswordThatIsAWordLeavesTheIDs(t *testing.T) {
	t.Parallel()
	r := redact.New([]string{"postgres://postgres:postgres@db/ketter", "redis://:ketter@redis"})
	f := Check{ID: "postgres.latency"}.complete([]Finding{notRun("postgres.reachable")}, r)[0]
	if f.BlockedBy != "postgres.reachable" || !strings.Contains(f.Advice, "Mend postgres.reachable first") {
		t.Errorf("%+v", f)
	}
}
