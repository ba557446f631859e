package remote

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

var errHostKey = errors.New("remote: not a key on record")

// maxHostKeys is how many keys a host may have on record.
const maxHostKeys = 64

// ParseHostKey reads a key as known_hosts and authorized_keys have it, without names and options: "ssh-ed25519 AAAA…". A
// comment after it counts for nothing.
func ParseHostKey(text string) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, invalid(fmt.Sprintf(
			"This is no host key: %.100q. It must be one line as \"ssh-ed25519 AAAA…\"; `ketter portals scan-key HOST` shows a host's.", text))
	}
	if algorithms([]ssh.PublicKey{key}) == nil {
		return nil, invalid("A host key of the kind " + key.Type() + " is not supported; use one of ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa.")
	}
	return key, nil
}

// ValidateHostKeys refuses what can't be a host's keys: as invalid_request, with a sentence.
func ValidateHostKeys(keys []string) error {
	_, err := parseHostKeys(keys)
	return err
}

func parseHostKeys(texts []string) ([]ssh.PublicKey, error) {
	if len(texts) == 0 || len(texts) > maxHostKeys {
		return nil, invalid(fmt.Sprintf("There must be a host key, and at most %d; `ketter portals scan-key HOST` shows a host's.", maxHostKeys))
	}
	var keys []ssh.PublicKey
	for _, text := range texts {
		key, err := ParseHostKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// PlainHostKey is a host's key without what a line may have besides: "ssh-ed25519 AAAA…".
func PlainHostKey(text string) (string, error) {
	key, err := ParseHostKey(text)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// Fingerprint is how people compare keys: "SHA256:…", as ssh-keygen -l shows it.
func Fingerprint(key string) (string, error) {
	parsed, err := ParseHostKey(key)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(parsed), nil
}

func describe(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

func describeAll(texts []string) (all []string) {
	for _, text := range texts {
		if key, err := ParseHostKey(text); err == nil {
			all = append(all, describe(key))
		}
	}
	return all
}

func isAmong(key ssh.PublicKey, keys []ssh.PublicKey) bool {
	for _, known := range keys {
		if bytes.Equal(key.Marshal(), known.Marshal()) {
			return true
		}
	}
	return false
}

// algorithms are what to ask a host for so that it shows one of keys: else it may show one that it has, too, and that
// nobody has put on record. Nil for a kind that is not supported.
func algorithms(keys []ssh.PublicKey) (all []string) {
	for _, key := range keys {
		switch kind := key.Type(); kind {
		case ssh.KeyAlgoRSA: // with SHA-1 it proves nothing any more
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
			all = append(all, kind)
		}
	}
	return all
}

func textOf(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
