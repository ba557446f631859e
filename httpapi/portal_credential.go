package httpapi

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

const (
	maxPrivateKey = 64 << 10
	maxPassword   = 4 << 10
	maxHostKeys   = 16
	// maxRounds is what a key's passphrase may cost to try, in bcrypt's rounds: ssh-keygen makes 24 of them, -a asks for more.
	maxRounds = 512
)

// credentialRequest is what a request says of the credential.
type credentialRequest struct {
	given      bool // null is given too, and means none
	kind       transfer.CredentialKind
	credential remote.Credential
}

// secret reports whether there is something to encrypt. That the worker's own agent is asked is no secret.
func (r credentialRequest) secret() bool {
	return r.kind != transfer.NoCredential && r.kind != transfer.AgentCredential
}

// parseCredential reads the member of that name. No error of it quotes any value.
func parseCredential(members []member, mayHave bool) (r credentialRequest, err error) {
	r.kind = transfer.NoCredential
	for _, m := range members {
		if m.name != "credential" {
			continue
		}
		r.given = true
		switch {
		case string(m.value) == "null":
			return r, nil
		case m.value[0] != '{':
			return r, invalid("credential must be an object, or null; it is %s.", kindOf(m.value))
		case !mayHave:
			return r, invalid("credential: a portal of kind local has none; leave it out.")
		}
		inner, err := decodeObject(m.value)
		if err != nil {
			return r, err
		}
		return r, r.read(inner)
	}
	return r, nil
}

func (r *credentialRequest) read(members []member) (err error) {
	f, err := fieldsOf(members, "a credential", []string{"private_key", "passphrase", "password", "agent"})
	if err != nil {
		return err
	}
	for name, target := range map[string]*string{
		"private_key": &r.credential.PrivateKey, "passphrase": &r.credential.Passphrase, "password": &r.credential.Password,
	} {
		if *target, err = f.text(name); err != nil {
			return err
		}
	}
	if r.credential.Agent, err = f.truth("agent"); err != nil {
		return err
	}
	r.kind, err = kindOfCredential(r.credential)
	return err
}

// kindOfCredential checks a credential, which must be one thing.
func kindOfCredential(c remote.Credential) (transfer.CredentialKind, error) {
	ways := 0
	for _, is := range []bool{c.PrivateKey != "", c.Password != "", c.Agent} {
		if is {
			ways++
		}
	}
	switch {
	case ways != 1:
		return "", invalid("credential must be one of private_key (and its passphrase, if it has one), password, or \"agent\": true.")
	case c.Passphrase != "" && c.PrivateKey == "":
		return "", invalid("credential.passphrase is a private key's, and there is none.")
	case len(c.PrivateKey) > maxPrivateKey:
		return "", invalid("credential.private_key is larger than %d bytes.", maxPrivateKey)
	case len(c.Password) > maxPassword, len(c.Passphrase) > maxPassword:
		return "", invalid("credential: a password or passphrase is larger than %d bytes.", maxPassword)
	case c.Agent:
		return transfer.AgentCredential, nil
	case c.Password != "":
		return transfer.PasswordCredential, nil
	}
	return checkPrivateKey(c)
}

// checkPrivateKey tries a key, so that a wrong passphrase is told to who gave it and not to a job at night.
func checkPrivateKey(c remote.Credential) (transfer.CredentialKind, error) {
	_, err := ssh.ParseRawPrivateKey([]byte(c.PrivateKey))
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil && c.Passphrase != "":
		return "", invalid("credential.private_key has no passphrase; leave credential.passphrase out.")
	case err == nil:
		return transfer.KeyCredential, nil
	case !errors.As(err, &locked):
		return "", invalid("credential.private_key is not a private key as ssh-keygen writes it.")
	case c.Passphrase == "":
		return "", invalid("credential.private_key is locked; give its passphrase, too.")
	case rounds([]byte(c.PrivateKey)) > maxRounds:
		return "", invalid("credential.private_key takes too long to unlock; make it anew with ssh-keygen -p -a %d or less.", maxRounds)
	}
	_, err = ssh.ParseRawPrivateKeyWithPassphrase([]byte(c.PrivateKey), []byte(c.Passphrase))
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return "", invalid("credential.passphrase is not that of the private key.")
	case err != nil:
		return "", invalid("credential.private_key can't be unlocked.")
	}
	return transfer.KeyWithPassphrase, nil
}

// rounds are those of a locked OpenSSH key (PROTOCOL.key); 0 of any other, which take no time.
func rounds(key []byte) uint32 {
	const magic = "openssh-key-v1\x00"
	block, _ := pem.Decode(key)
	if block == nil || !strings.HasPrefix(string(block.Bytes), magic) {
		return 0
	}
	var header struct {
		Cipher, KDF, Options string
		Rest                 []byte `ssh:"rest"`
	}
	var options struct {
		Salt   string
		Rounds uint32
	}
	if ssh.Unmarshal(block.Bytes[len(magic):], &header) != nil || ssh.Unmarshal([]byte(header.Options), &options) != nil {
		return 0
	}
	return options.Rounds
}

// parseHostKeys returns the keys that a host may show, one a line, without comments.
func parseHostKeys(sent string) (string, error) {
	var lines []string
	for line := range strings.Lines(sent) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		_, isCertificate := key.(*ssh.Certificate)
		if err != nil || len(options) > 0 || len(rest) > 0 || isCertificate {
			return "", invalid("host_key, line %d, is not a public key as \"ssh-ed25519 AAAA…\". `ketter portals scan-key HOST` shows a host's; "+
				"of a line in known_hosts leave the host's name out.", len(lines)+1)
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	}
	switch {
	case len(lines) == 0:
		return "", invalid("host_key is missing; a portal of kind sftp needs it, so that nobody can pass for the host. " +
			"`ketter portals scan-key HOST` shows it.")
	case len(lines) > maxHostKeys:
		return "", invalid("host_key holds more than %d keys.", maxHostKeys)
	}
	return strings.Join(lines, "\n"), nil
}
