package bed

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Key is a pair, in OpenSSH's formats: what stands in a key file, and in a line of authorized_keys.
type Key struct{ Private, Public string }

// NewKey makes an Ed25519 pair without a passphrase.
func NewKey() (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return Key{}, err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return Key{}, err
	}
	return Key{Private: string(pem.EncodeToMemory(block)), Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))}, nil
}
