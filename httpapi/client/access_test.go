package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
)

const token = "ketter_0123456789"

// showing answers all the same, and fails the test unless it sees the token.
func showing(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("Authorization: %q", got)
		}
		saying(200, "application/json", `{"id":3}`)(w, r)
	}
}

func TestTheTokenIsSentWithEveryRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(showing(t))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Job(t.Context(), 3); err != nil {
		t.Error(err)
	}
	if _, err := c.Cancel(t.Context(), 3); err != nil {
		t.Error(err)
	}
}

func TestTheTokenIsNotSentInClearToAnotherHost(t *testing.T) {
	t.Parallel()
	for base, good := range map[string]bool{
		"http://127.0.0.1:8000": true, "http://localhost": true, "http://[::1]:8000": true, "https://ketter.studio.example": true,
		"http://ketter.studio.example:8000": false, "http://10.0.0.5": false, "http://localhost.studio.example": false, "http://0.0.0.0:1": false,
	} {
		_, err := client.New(base, client.WithToken(token))
		if (err == nil) != good || err != nil && (failure.CodeOf(err) != failure.InvalidRequest || strings.Contains(err.Error(), token)) {
			t.Errorf("%s: %v", base, err)
		}
		if _, err := client.New(base); err != nil {
			t.Errorf("%s, without a token: %v", base, err)
		}
		if _, err := client.New(base, client.WithToken(token), client.Insecurely()); err != nil {
			t.Errorf("%s, insecurely: %v", base, err)
		}
	}
}

func TestTheTokenDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Job(t.Context(), 3); failure.CodeOf(err) != client.Unreachable || strings.Contains(err.Error(), token) {
		t.Errorf("%v", err)
	}
}

func TestOnlyATrustedCertificateIsBelieved(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(showing(t))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting, err := client.New(server.URL, client.WithToken(token), client.WithTLS(&tls.Config{RootCAs: roots}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trusting.Job(t.Context(), 3); err != nil {
		t.Error(err)
	}
	doubting, err := client.New(server.URL, client.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	if _, err := doubting.Job(t.Context(), 3); failure.CodeOf(err) != client.Unreachable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}
