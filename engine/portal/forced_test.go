package portal

import (
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/testsshd"
)

func TestAForcedCommandInTheWayIsNamed(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"/no/such/ketter agent":                 "no ketter answers there",
		"echo Welcome to SRVTRF":                "no ketter answers there",
		`echo KETTER-AGENT 999 v99 linux amd64`: "another version",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			b := setup(t, way{sshd: testsshd.Options{Command: command}})
			b.impatient()
			_, err := b.portals.Open(t.Context(), 1)
			f := failure.From(err)
			if f == nil || f.Code != failure.PortalUnreachable || !strings.Contains(f.Sentence(), want) || !strings.Contains(f.Advice(), "forced command") {
				t.Errorf("it fails with %v", err)
			}
		})
	}
}
