package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/embedded"
	"github.com/ketter/ketter/infra/testdb"
)

// newToken makes a token by the command, and returns what it printed and the tokens' file.
func newToken(t *testing.T, name string) (token, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "tokens")
	out, errOut, status := ketter(t, "tokens", "create", name, "--file", file)
	if status != 0 || !strings.HasPrefix(out, "ketter_") || strings.Count(out, "\n") != 1 || strings.Contains(errOut, "ketter_") {
		t.Fatalf("status %d: %q %q", status, out, errOut)
	}
	return strings.TrimSpace(out), file
}

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	t.Parallel()
	_, file := newToken(t, "ana")
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{0, "ana   20", []string{"list"}},
		{2, "there is a token of this name already", []string{"create", "ana"}},
		{2, "begins with a letter or digit", []string{"create", "a b"}},
		{2, "accepts 1 arg", []string{"create"}},
		{2, "there is no token of this name", []string{"revoke", "rui"}},
		{0, "The token ana is revoked.", []string{"revoke", "ana"}},
		{0, "There is no token.", []string{"list"}},
	} {
		out, errOut, status := ketter(t, append(append([]string{"tokens"}, c.args...), "--file", file)...)
		if status != c.status || !strings.Contains(out+errOut, c.says) {
			t.Errorf("%v: status %d\n%s%s", c.args, status, out, errOut)
		}
	}
	if out, errOut, status := ketter(t, "tokens", "list", "--file", file+".none"); status != 2 || !strings.Contains(errOut, "no such file") {
		t.Errorf("%d %s%s", status, out, errOut)
	}
}

func TestWithoutTokensItListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	_, file := newToken(t, "ana")
	for address, good := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, "0.0.0.0:0": false, ":0": false, "[::]:0": false, "192.0.2.1:0": false} {
		listener, err := listen(config.Config{Listen: address}, zerolog.Nop())
		if err == nil {
			listener.Close()
		}
		if refused := err != nil && strings.Contains(err.Error(), "without tokens"); refused == good {
			t.Errorf("%s: %v", address, err)
		}
	}
	_, err := listen(config.Config{Listen: "192.0.2.1:0", APITokensFile: file}, zerolog.Nop()) // an address that no host has
	if err == nil || strings.Contains(err.Error(), "without tokens") {
		t.Errorf("with tokens: %v", err)
	}
}

func TestServeAndUpSayWhyTheyDoNotListen(t *testing.T) {
	for name, value := range map[string]string{"KETTER_LISTEN": "0.0.0.0:0", "DB_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1",
		"KETTER_ALLOWED_ROOTS": t.TempDir(), "KETTER_STATE_DIR": t.TempDir()} {
		t.Setenv(name, value)
	}
	for _, command := range []string{"serve", "up"} {
		_, errOut, status := ketter(t, command)
		if status != 2 || !strings.Contains(errOut, "Others could reach the API at 0.0.0.0:0") || !strings.Contains(errOut, "hint: Make a token with `ketter tokens create") {
			t.Errorf("%s: status %d\n%s", command, status, errOut)
		}
	}
	t.Setenv("KETTER_LISTEN", "127.0.0.1:0")
	for variable, says := range map[string]string{"KETTER_TLS_CERT": "no such file", "KETTER_TLS_KEY": "belong together"} {
		t.Setenv(variable, filepath.Join(t.TempDir(), "none"))
		if variable == "KETTER_TLS_CERT" {
			t.Setenv("KETTER_TLS_KEY", filepath.Join(t.TempDir(), "none"))
		} else {
			t.Setenv("KETTER_TLS_CERT", "")
		}
		if _, errOut, status := ketter(t, "serve"); status != 2 || !strings.Contains(errOut, says) {
			t.Errorf("%s: status %d\n%s", variable, status, errOut)
		}
	}
}

// certify makes a certificate for a name that is none of loopback's.
func certify(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"ketter.studio.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}))),
		file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
}

// Every command that asks the API brings the token, and knows the API of its own host by its certificate.
func TestCommandsAskWithTheirTokenAndByTLS(t *testing.T) {
	token, tokensFile := newToken(t, "ana")
	cert, key := certify(t)
	_, dbURL := testdb.New(t)
	server, err := embedded.StartRedis(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	redis := server.URL()
	s := setup(t, dbURL, redis, "KETTER_API_TOKENS_FILE="+tokensFile, "KETTER_TLS_CERT="+cert, "KETTER_TLS_KEY="+key)
	for name, value := range map[string]string{"KETTER_LISTEN": strings.TrimPrefix(s.url, "https://"), "KETTER_TLS_CERT": cert, "KETTER_TLS_KEY": key,
		"DB_URL": dbURL, "REDIS_URL": redis, "KETTER_ALLOWED_ROOTS": s.root} {
		t.Setenv(name, value)
	}
	if err := askAPI(t.Context(), load(t, os.Environ()...), io.Discard); err != nil {
		t.Errorf("its health isn't told without a token: %v", err)
	}
	commands := [][]string{{"portals", "list"}, {"portals", "add", "HERE", "--kind", "local", "--root", s.root}, {"jobs", "cancel", "4711"},
		{"dku", "--no-smoke", "--report-dir", t.TempDir()}}
	says := func(want ...string) {
		t.Helper()
		for i, command := range commands {
			out, errOut, _ := ketter(t, command...)
			if said := out + errOut; !strings.Contains(said, want[i]) || strings.Contains(said, token) {
				t.Errorf("%v doesn't say %q, or tells the token\n%s", command, want[i], said)
			}
		}
	}
	const asks = "This API asks for a token"
	says(asks, asks, asks, asks)
	t.Setenv("KETTER_API_TOKEN", token)
	says("There is no portal yet", "HERE", "There is no job 4711", "HERE: Reached by local")
	t.Setenv("KETTER_API_TOKEN", "")
	t.Setenv("KETTER_API_TOKEN_FILE", file(t, "token", token+"\n"))
	says("HERE", "portal_exists", "There is no job 4711", "HERE: Reached by local")

	t.Setenv("KETTER_TLS_CERT", "")
	t.Setenv("KETTER_TLS_KEY", "")
	if _, errOut, _ := ketter(t, "portals", "list", "--api", s.url); !strings.Contains(errOut, "shows a certificate that is not trusted") {
		t.Errorf("from another host: %s", errOut)
	}
	if _, errOut, status := ketter(t, "portals", "list", "--api", "http://ketter.studio.example"); status != 2 || !strings.Contains(errOut, "The token is not sent") {
		t.Errorf("without TLS: %d %s", status, errOut)
	}
}

func TestARevokedTokenIsLetInNoMoreWithoutARestart(t *testing.T) {
	t.Parallel()
	token, tokensFile := newToken(t, "ana")
	_, dbURL := testdb.New(t)
	log := &pile{}
	s := setupLogging(t, zerolog.New(log), dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_API_TOKENS_FILE="+tokensFile)
	ask := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/jobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("x", token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	await := func(status int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ask() != status; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the answer is never %d\n%s", status, log)
			}
		}
	}
	await(200)
	if _, errOut, status := ketter(t, "tokens", "revoke", "ana", "--file", tokensFile); status != 0 {
		t.Fatal(errOut)
	}
	await(401)
	if err := os.Remove(tokensFile); err != nil { // which opens nothing
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(log.String(), "a changed file can't be used"); time.Sleep(50 * time.Millisecond) {
		if status := ask(); status == 200 || time.Now().After(deadline) {
			t.Fatalf("%d\n%s", status, log)
		}
	}
}
