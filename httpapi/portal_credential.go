package httpapi

import (
	"encoding/json"
	"strings"

	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

const (
	maxPrivateKey = 64 << 10
	maxPassword   = 4 << 10
	maxHostKeys   = 16
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

// parseCredential reads what was sent, which is empty where nothing was. No error of it quotes any value.
func parseCredential(sent json.RawMessage, mayHave bool) (r credentialRequest, err error) {
	r.kind, r.given = transfer.NoCredential, len(sent) > 0
	switch {
	case !r.given || string(sent) == "null":
		return r, nil
	case !mayHave:
		return r, invalid("credential: a portal of kind local has none; leave it out.")
	}
	var asked CredentialRequest
	if json.Unmarshal(sent, &asked) != nil {
		return r, invalid("credential can't be read; see GET /docs for what it may be.")
	}
	r.credential = remote.Credential{
		PrivateKey: orZero(asked.PrivateKey), Passphrase: orZero(asked.Passphrase), Password: orZero(asked.Password), Agent: orZero(asked.Agent),
	}
	r.kind, err = kindOfCredential(r.credential)
	return r, err
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
	if err := c.Validate(); err != nil {
		return "", err
	}
	if c.Passphrase != "" {
		return transfer.KeyWithPassphrase, nil
	}
	return transfer.KeyCredential, nil
}

// parseHostKeys returns the keys that a host may show, one a line. Lines that begin with # count for nothing.
func parseHostKeys(sent string) (string, error) {
	var keys []string
	line := 0
	for text := range strings.Lines(sent) {
		line++
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		key, err := remote.PlainHostKey(text)
		if err != nil {
			return "", invalid("host_key, line %d, is not a host's public key as \"ssh-ed25519 AAAA…\". `ketter portals scan-key HOST` shows it; "+
				"of a line in known_hosts leave the host's name out.", line)
		}
		keys = append(keys, key)
	}
	switch {
	case len(keys) == 0:
		return "", invalid("host_key is missing; a portal of kind sftp needs it, so that nobody can pass for the host. " +
			"`ketter portals scan-key HOST` shows it.")
	case len(keys) > maxHostKeys:
		return "", invalid("host_key holds more than %d keys.", maxHostKeys)
	}
	return strings.Join(keys, "\n"), nil
}
