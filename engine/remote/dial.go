package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/failure"
)

// ciphers are those that authenticate as they encrypt, the fastest on processors of these days first, and one for hosts
// that are older.
var ciphers = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES256CTR}

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// dial makes a connection. A host that is asked too often at once cuts some off before it shows its key (MaxStartups);
// those are tried again.
func (h *Host) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.life, cancel)()
	select {
	case h.dials <- struct{}{}:
		defer func() { <-h.dials }()
	case <-ctx.Done():
		return nil, h.unreachable("there was no time to connect", ctx.Err())
	}
	wait := h.options.Again
	for try := 1; ; try++ {
		c, cutOff, err := h.dialOnce(ctx)
		if err == nil || !cutOff || try == h.options.Tries {
			return c, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, err
		}
	}
}

// dialOnce also reports whether the host has cut the connection off before it showed its key.
func (h *Host) dialOnce(ctx context.Context) (c *connection, cutOff bool, err error) {
	proof, err := h.target.Credential.methods(ctx)
	if err != nil {
		return nil, false, h.refused(err)
	}
	defer proof.close()
	keys, err := parseHostKeys(h.target.HostKeys)
	if err != nil {
		return nil, false, err
	}
	raw, err := tcp(ctx, h.target.address(), h.options.Connect)
	if err != nil {
		return nil, false, h.unreachable("it doesn't answer", err)
	}
	conn, opened, asked, seen, err := shake(ctx, raw, h.target, algorithms(keys), keys, proof.methods, h.options.Handshake)
	if err != nil {
		_ = raw.Close()
		return nil, !seen.proven && raw.failed.Load(), h.shakeFailed(ctx, raw, seen, err)
	}
	return newConnection(h, raw, conn, opened, asked), false, nil
}

// seen is what the host has shown.
type seen struct {
	key    ssh.PublicKey // nil until it did
	proven bool          // that it is the one on record
}

// shake does the handshake: the host shows a key of kinds that must be among keys, until the user is let in.
func shake(ctx context.Context, raw *wire, t Target, kinds []string, keys []ssh.PublicKey, auth []ssh.AuthMethod, limit time.Duration) (
	ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, seen, error,
) {
	var host seen
	config := &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: ciphers},
		User:              t.User,
		Auth:              auth,
		HostKeyAlgorithms: kinds,
		ClientVersion:     "SSH-2.0-Ketter",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			host = seen{key: key, proven: isAmong(key, keys)}
			if !host.proven {
				return errHostKey
			}
			return nil
		},
	}
	_ = raw.SetDeadline(time.Now().Add(limit)) // when it is closed already, the handshake says so
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	conn, opened, asked, err := ssh.NewClientConn(raw, t.address(), config)
	if !stop() && err == nil {
		_ = conn.Close()
		err = ctx.Err()
	}
	if err == nil {
		_ = raw.SetDeadline(time.Time{})
	}
	return conn, opened, asked, host, err
}

// shakeFailed finds out why: from what the host has shown, and whether the network failed.
func (h *Host) shakeFailed(ctx context.Context, raw *wire, host seen, err error) error {
	var none *ssh.AlgorithmNegotiationError
	switch {
	case host.key != nil && !host.proven:
		return h.mismatch(fmt.Sprintf("its key is %s", describe(host.key)), err)
	case errors.As(err, &none) && none.What == hostKeyNegotiation:
		return h.mismatch("it has only keys of the kinds "+strings.Join(none.RequestedAlgorithms, ", "), err)
	case host.proven && !raw.failed.Load() && ctx.Err() == nil:
		return h.refused(err)
	default:
		return h.unreachable("the connection broke off before the user was let in", err)
	}
}

// hostKeyNegotiation is how x/crypto/ssh calls the choice of a host key.
const hostKeyNegotiation = "host key"

func (h *Host) refused(err error) error {
	message := fmt.Sprintf("%s lets nobody in with this credential.", h.target.name())
	var known *failure.Error
	if errors.As(err, &known) { // no credential to begin with
		message = fmt.Sprintf("%s: %s", h.target.name(), known.Message)
	}
	return &failure.Error{Code: failure.PortalAuthFailed, Op: "ssh", Message: message, Err: err}
}

func (h *Host) mismatch(shown string, err error) error {
	return &failure.Error{Code: failure.HostKeyMismatch, Op: "ssh", Err: err,
		Message: fmt.Sprintf("%s is not the host on record: %s, and on record is %s", h.target.name(), shown,
			strings.Join(describeAll(h.target.HostKeys), ", "))}
}
