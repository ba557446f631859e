package remote

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/failure"
)

// scanned are the kinds of keys that ScanKeys asks for, the best first.
var scanned = [][]string{{ssh.KeyAlgoED25519}, {ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}}

// ScanKeys asks a host for its keys, one of each kind that it has. It proves nothing: whoever answers shows what he likes, so
// a person must compare the fingerprints with what he knows of the host. Nobody is let in, or tries to be.
func ScanKeys(ctx context.Context, host string, port int) ([]string, error) {
	target := Target{Host: host, Port: port, User: "ketter"}
	found := make([]string, len(scanned))
	errs := make([]error, len(scanned))
	var scans sync.WaitGroup
	for i, kinds := range scanned {
		scans.Go(func() { found[i], errs[i] = scan(ctx, target, kinds) })
	}
	scans.Wait()
	var keys []string
	for _, key := range found {
		if key != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) > 0 {
		return keys, nil
	}
	return nil, &failure.Error{Code: failure.PortalUnreachable, Op: "ssh", Err: errs[0],
		Message: fmt.Sprintf("%s shows no host key: is it an SSH server?", target.address())}
}

// scan goes as far into a handshake as to see the key.
func scan(ctx context.Context, t Target, kinds []string) (string, error) {
	options := Options{}.filled()
	raw, err := tcp(ctx, t.address(), options.Connect)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	_, _, _, host, err := shake(ctx, raw, t, kinds, nil, nil, options.Handshake)
	if host.key == nil {
		return "", err
	}
	return textOf(host.key), nil
}
