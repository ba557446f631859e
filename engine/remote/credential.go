package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/ketter/ketter/engine/failure"
)

// agentVariable names the socket of the SSH agent, as for every SSH program.
const agentVariable = "SSH_AUTH_SOCK"

// Validate refuses a credential that can't let anybody in, anywhere: as invalid_request, with a sentence. Whether it lets
// its user in somewhere only the host knows.
func (c Credential) Validate() error {
	if c.PrivateKey == "" && c.Password == "" && !c.Agent {
		return invalid("There is no credential: give a private key, a password, or the use of the SSH agent.")
	}
	if c.PrivateKey == "" && c.Passphrase != "" {
		return invalid("There is a passphrase, but no private key that it could be for.")
	}
	if c.PrivateKey == "" {
		return nil
	}
	if rounds([]byte(c.PrivateKey)) > maxRounds {
		return invalid(fmt.Sprintf("The private key takes too long to unlock; make it anew with ssh-keygen -p -a %d or less.", maxRounds))
	}
	_, err := c.signer()
	return err
}

// signer is the private key. Its errors say nothing of it.
func (c Credential) signer() (ssh.Signer, error) {
	var encrypted *ssh.PassphraseMissingError
	signer, err := ssh.ParsePrivateKey([]byte(c.PrivateKey))
	if !errors.As(err, &encrypted) {
		if err != nil {
			return nil, invalid("The private key can't be read: it must be a whole PEM file as ssh-keygen writes it (OpenSSH, PKCS#1 or PKCS#8).")
		}
		if c.Passphrase != "" {
			return nil, invalid("There is a passphrase, but the private key has none.")
		}
		return signer, nil
	}
	if c.Passphrase == "" {
		return nil, invalid("The private key is encrypted, and there is no passphrase for it.")
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(c.PrivateKey), []byte(c.Passphrase))
	if err != nil {
		return nil, invalid("The passphrase is not the one that the private key is encrypted with.")
	}
	return signer, nil
}

func invalid(sentence string) error { return failure.New(failure.InvalidRequest, "", sentence) }

// proof is how a user proves himself while a connection is made.
type proof struct {
	methods []ssh.AuthMethod
	agent   net.Conn // nil without
}

func (p *proof) close() {
	if p.agent != nil {
		_ = p.agent.Close() // nothing was asked of it that could be lost
	}
}

func (c Credential) methods(ctx context.Context) (*proof, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := &proof{}
	keys := []func() ([]ssh.Signer, error){}
	if c.PrivateKey != "" {
		signer, err := c.signer()
		if err != nil {
			return nil, err
		}
		keys = append(keys, func() ([]ssh.Signer, error) { return []ssh.Signer{signer}, nil })
	}
	if c.Agent {
		conn, err := dialAgent(ctx)
		if err != nil && c.PrivateKey == "" && c.Password == "" {
			return nil, err
		}
		if err == nil {
			p.agent = conn
			keys = append(keys, agent.NewClient(conn).Signers)
		}
	}
	if len(keys) > 0 { // all as one method: SSH tries each method once
		p.methods = append(p.methods, ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return allSigners(keys) }))
	}
	if c.Password != "" {
		p.methods = append(p.methods, ssh.Password(c.Password), ssh.KeyboardInteractive(c.answer))
	}
	return p, nil
}

// allSigners leaves out what can't be had, as long as something can.
func allSigners(sources []func() ([]ssh.Signer, error)) (all []ssh.Signer, err error) {
	for _, source := range sources {
		signers, failed := source()
		all, err = append(all, signers...), errors.Join(err, failed)
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

func dialAgent(ctx context.Context) (net.Conn, error) {
	socket := os.Getenv(agentVariable)
	if socket == "" {
		return nil, invalid("The worker has no SSH agent: " + agentVariable + " is not set where it was started.")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, &failure.Error{Code: failure.InvalidRequest, Err: err, Message: "The worker's SSH agent doesn't answer at " + agentVariable + "."}
	}
	return conn, nil
}

// answer gives the password to a host that asks for one thing, unseen. Whoever asks for more wants something else.
func (c Credential) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return nil, nil // some only have something to tell
	case len(questions) == 1 && !echos[0]:
		return []string{c.Password}, nil
	default:
		return nil, errors.New("remote: the host asks for more than a password")
	}
}
