// Package certificate is the API's TLS: a certificate and its key from two files, read again when they change, so that a renewed
// one needs no restart; and for who asks the API, whose certificates are believed. It makes no certificate, and tells no key.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/ketter/ketter/infra/fresh"
	"github.com/ketter/ketter/infra/private"
)

// maxFile is far more than a chain of certificates needs.
const maxFile = 1 << 20

// Server returns the settings of a server that shows the certificate of one file with the key of another. When they can't be
// read later it shows the last good one; tell is called with why, once, and with nil when they were read anew.
func Server(certFile, keyFile string, tell func(error)) (*tls.Config, error) {
	shown, err := fresh.New(func() (*tls.Certificate, error) { return load(certFile, keyFile) }, tell, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // one protocol, one set of limits
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return shown.Get(), nil },
	}, nil
}

func load(certFile, keyFile string) (*tls.Certificate, error) {
	chain, err := read(certFile)
	if err != nil {
		return nil, err
	}
	if !hasBlock(chain, "CERTIFICATE") {
		return nil, fmt.Errorf("%s holds no certificate (a block -----BEGIN CERTIFICATE-----)", certFile)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("%s is not the certificate of the key %s: %w", certFile, keyFile, err)
	}
	return &pair, nil
}

// readKey refuses a key that others may read.
func readKey(path string) ([]byte, error) {
	text, err := private.Read(path, maxFile)
	key := []byte(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case hasBlock(key, "ENCRYPTED PRIVATE KEY"):
		return nil, fmt.Errorf("%s is encrypted: Ketter can't ask for its passphrase", path)
	case !hasBlock(key, "PRIVATE KEY"):
		return nil, fmt.Errorf("%s holds no private key (a block -----BEGIN PRIVATE KEY-----)", path)
	}
	return key, nil
}

func hasBlock(text []byte, kind string) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
	}
	return false
}

func read(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would be waited for until somebody writes
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a file", path))
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is too large for a certificate or a key", path)
	}
	return text, err
}

// Roots are the system's, and those of the files.
func Roots(files ...string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without: the files' are enough
	}
	for _, path := range files {
		text, err := read(path)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate (a block -----BEGIN CERTIFICATE-----)", path)
		}
	}
	return roots, nil
}

// Name is a name that a certificate is for: by it who asks a server at its address knows it again.
func Name(certFile string) (string, error) {
	text, err := read(certFile)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s holds no certificate", certFile)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", certFile, err)
	case len(leaf.DNSNames) > 0:
		return strings.Replace(leaf.DNSNames[0], "*", "ketter", 1), nil
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String(), nil
	}
	return "", fmt.Errorf("%s is for no name and no address (subjectAltName)", certFile)
}
