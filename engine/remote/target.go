// Package remote reaches other hosts over SSH: it keeps a few connections to each, proves that the host is the one on
// record, and starts programs there whose command lines are constants. It knows nothing of files.
package remote

import "fmt"

// Target is a host and how to be let in.
type Target struct {
	Host string // name or address
	Port int
	User string
	// HostKeys are the keys that the host may show, as in known_hosts without the names: "ssh-ed25519 AAAA…". Any other is
	// host_key_mismatch; there is no way to accept one unseen.
	HostKeys    []string
	Credential  Credential
	Connections int // at most; at least 1
}

// Credential is how a user proves himself: by any of what is set. It never shows itself in a log or an answer.
type Credential struct {
	PrivateKey string // PEM, of any kind that OpenSSH writes
	Passphrase string // of PrivateKey, if it has one
	Password   string
	Agent      bool // the SSH agent at SSH_AUTH_SOCK of this process
}

// Format says nothing, whatever the verb.
func (Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(credential)")) }

// MarshalJSON refuses: what is encrypted is written by whoever encrypts it.
func (Credential) MarshalJSON() ([]byte, error) {
	return nil, fmt.Errorf("remote: a credential is never written")
}
