package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files are a certificate and its key, made anew by renew.
type files struct {
	t         *testing.T
	cert, key string
}

func newFiles(t *testing.T) files {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	f := files{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	f.renew(1, "ketter.studio.example")
	return f
}

func (f files) renew(serial int64, names ...string) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Ketter's test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if len(names) == 0 {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	write(f.t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	write(f.t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// serial asks a server of these settings for its certificate, as a client that believes the file of root does.
func serial(t *testing.T, server *tls.Config, client *tls.Config) (int64, error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() { _ = tls.Server(there, server).Handshake() }()
	asked := tls.Client(here, client)
	if err := asked.HandshakeContext(t.Context()); err != nil {
		return 0, err
	}
	return asked.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestARenewedCertificateIsShownWithoutARestart(t *testing.T) {
	f := newFiles(t)
	told := make(chan error, 16)
	server, err := Server(f.cert, f.key, func(err error) { told <- err })
	if err != nil {
		t.Fatal(err)
	}
	blind := &tls.Config{InsecureSkipVerify: true}
	if got, err := serial(t, server, blind); err != nil || got != 1 {
		t.Fatalf("%d, %v", got, err)
	}
	f.renew(2, "ketter.studio.example")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got, err := serial(t, server, blind)
		if got == 2 {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("still %d, %v", got, err)
		}
	}
	if err := <-told; err != nil {
		t.Errorf("told %v", err)
	}
}

func TestALesserTLSIsRefused(t *testing.T) {
	f := newFiles(t)
	server, err := Server(f.cert, f.key, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := serial(t, server, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestAMistakeNamesTheFileAndWhy(t *testing.T) {
	f := newFiles(t)
	other := files{t, f.cert + ".other", f.key + ".other"}
	other.renew(3, "a")
	empty, large, encrypted, folder := f.cert+".empty", f.cert+".large", f.key+".encrypted", filepath.Dir(f.cert)
	write(t, empty, nil)
	write(t, large, []byte(strings.Repeat("x", maxFile+1)))
	write(t, encrypted, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))
	lax := f.key + ".lax"
	key, _ := os.ReadFile(f.key)
	write(t, lax, key)
	if err := os.Chmod(lax, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, says string }{
		{f.cert + ".none", f.key, f.cert + ".none: no such file"},
		{f.cert, f.key + ".none", f.key + ".none: no such file"},
		{empty, f.key, empty + " holds no certificate"},
		{f.key, f.key, f.key + " holds no certificate"},
		{f.cert, f.cert, f.cert + " holds no private key"},
		{large, f.key, large + " is too large"},
		{folder, f.key, folder + " is not a file"},
		{f.cert, encrypted, encrypted + " is encrypted"},
		{f.cert, lax, "chmod 600"},
		{f.cert, other.key, "not the certificate of the key " + other.key},
	} {
		if _, err := Server(c.cert, c.key, func(error) {}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, not %q", err, c.says)
		}
	}
}

func TestAServerIsKnownByItsOwnCertificate(t *testing.T) {
	f := newFiles(t)
	for _, names := range [][]string{{"ketter.studio.example"}, {"*.studio.example"}, {}} {
		f.renew(5, names...)
		server, err := Server(f.cert, f.key, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		name, err := Name(f.cert)
		if err != nil {
			t.Fatal(err)
		}
		roots, err := Roots(f.cert)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := serial(t, server, &tls.Config{RootCAs: roots, ServerName: name}); err != nil || got != 5 {
			t.Errorf("%v: %d, %v", names, got, err)
		}
		if none, err := Roots(); err != nil {
			t.Error(err)
		} else if _, err := serial(t, server, &tls.Config{RootCAs: none, ServerName: name}); err == nil {
			t.Errorf("%v: anybody believes it", names)
		}
	}
	if _, err := Roots(f.key); err == nil || !strings.Contains(err.Error(), f.key) {
		t.Errorf("%v", err)
	}
}
