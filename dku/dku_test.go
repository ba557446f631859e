package dku

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestVerdictsFollowTheReadinessChecks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"all ok":      {`{"checks":[{"name":"postgres","required":true,"ok":true}]}`, 0},
		"optional":    {`{"checks":[{"name":"redis","ok":false,"detail":"failed"},{"name":"postgres","required":true,"ok":true}]}`, 1},
		"required":    {`{"checks":[{"name":"postgres","required":true,"ok":false},{"name":"redis","ok":false}]}`, 2},
		"not JSON":    {`<html>`, 2},
		"not Ketter":  {`{}`, 2},
		"empty reply": {``, 2},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(test.body))
		}))
		t.Cleanup(server.Close)
		if got := Ask(t.Context(), server.URL).ExitStatus(); got != test.status {
			t.Errorf("%s: exit status %d, not %d", name, got, test.status)
		}
	}
}

func TestADeadAPIIsAVerdict(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if got := Ask(t.Context(), server.URL); got.ExitStatus() != 2 || got.Findings[0].Verdict != Fail {
		t.Errorf("got %+v", got)
	}
}
