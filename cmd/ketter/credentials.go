package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/secret"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// credentials encrypts portals' credentials for the API, and opens them for workers.
type credentials struct{ keys secret.Keyring }

var (
	_ httpapi.Credentials        = credentials{}
	_ riverjobs.CredentialOpener = credentials{}.Open
)

// sealed is what is encrypted of a credential.
type sealed struct {
	PrivateKey string `json:"private_key,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`
	Password   string `json:"password,omitempty"`
	Agent      bool   `json:"agent,omitempty"`
}

// newCredentials reads the keys that the environment names. There may be none: then nothing can be sealed or opened.
func newCredentials(c config.Config) (credentials, error) {
	keys, err := secret.Parse(string(c.SecretKey))
	name := "KETTER_SECRET_KEY"
	if c.SecretKeyFile != "" {
		keys, err = secret.ReadFile(c.SecretKeyFile)
		name = "KETTER_SECRET_KEY_FILE=" + c.SecretKeyFile
	}
	if err != nil {
		return credentials{}, &failure.Error{
			Code: failure.InvalidRequest, Message: name + ": " + err.Error(), Hint: "`ketter secret-key` makes a key.",
		}
	}
	return credentials{keys}, nil
}

// purpose binds a credential to its portal: in another's row it doesn't open.
func purpose(portal int64) string { return fmt.Sprintf("ketter portal %d", portal) }

// Seal encrypts a credential for a portal.
func (c credentials) Seal(portal int64, credential remote.Credential) ([]byte, error) {
	if c.keys.Empty() {
		return nil, &failure.Error{
			Code:    failure.InvalidRequest,
			Message: "There is no key to encrypt the credential with, and without one none is kept",
			Hint: "Make one with `ketter secret-key` and give it to every `ketter serve`, `worker` and `up` as KETTER_SECRET_KEY or in " +
				"KETTER_SECRET_KEY_FILE; or let the workers' SSH agent have the credential (--use-agent).",
		}
	}
	plain, err := json.Marshal(sealed(credential))
	if err != nil {
		return nil, err
	}
	return c.keys.Seal(plain, purpose(portal))
}

// Readable reports whether the key is there that a portal's credential was encrypted with.
func (c credentials) Readable(p db.Portal) bool { return c.keys.Knows(p.Credential) }

// Open decrypts a portal's credential. It is empty where the portal has none.
func (c credentials) Open(p db.Portal) (remote.Credential, error) {
	if p.Credential == nil {
		return remote.Credential{Agent: p.CredentialKind == transfer.AgentCredential}, nil
	}
	plain, err := c.keys.Open(p.Credential, purpose(p.ID))
	var opened sealed
	if err == nil && json.Unmarshal(plain, &opened) != nil { // whose own error might quote it
		err = errors.New("what was encrypted is no credential")
	}
	if err != nil {
		return remote.Credential{}, &failure.Error{
			Code: failure.PortalAuthFailed, Op: "decrypt", Err: err,
			Message: fmt.Sprintf("The credential of portal %s can't be decrypted: %v", p.Name, err),
			Hint: "Give this worker the KETTER_SECRET_KEY that the API encrypts with (of several, the old one after the new one), " +
				"or give the portal its credential again with `ketter portals set`.",
		}
	}
	return remote.Credential(opened), nil
}

// reseal encrypts with the first key what another has encrypted; nil: it was the first.
func (c credentials) reseal(portal int64, old []byte) ([]byte, error) {
	plain, err := c.keys.Open(old, purpose(portal))
	if err != nil || c.keys.Current(old) {
		return nil, err
	}
	return c.keys.Seal(plain, purpose(portal))
}
