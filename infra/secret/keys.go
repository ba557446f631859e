package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ketter/ketter/infra/private"
)

// maxKeyFile is far more than a file of keys needs.
const maxKeyFile = 64 << 10

// NewKey makes a fresh key, as text.
func NewKey() string {
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw) // it never fails: crypto/rand
	return base64.StdEncoding.EncodeToString(raw)
}

// Parse reads keys, separated by commas or line ends: each 32 bytes in base64 or hex. Lines that begin with # are comments.
func Parse(text string) (Keyring, error) {
	var ring Keyring
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for word := range strings.SplitSeq(line, ",") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			raw, err := decode(word)
			if err != nil {
				return Keyring{}, fmt.Errorf("key %d %w", len(ring.keys)+1, err)
			}
			made, err := newKey(raw)
			if err != nil {
				return Keyring{}, err
			}
			ring.keys = append(ring.keys, made)
		}
	}
	return ring, nil
}

// decode never quotes what it was given.
func decode(word string) ([]byte, error) {
	if raw, err := hex.DecodeString(word); err == nil && len(raw) == keySize {
		return raw, nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if raw, err := encoding.DecodeString(word); err == nil && len(raw) == keySize {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("is not %d bytes in base64 or hex", keySize)
}

// ReadFile is Parse for a file, which nobody but its owner and group may read, and only its owner change.
func ReadFile(path string) (Keyring, error) {
	text, err := private.Read(path, maxKeyFile)
	switch {
	case errors.Is(err, private.ErrLarge):
		return Keyring{}, errors.New("it is too large for a file of keys")
	case err != nil:
		return Keyring{}, err
	}
	ring, err := Parse(text)
	if err == nil && ring.Empty() {
		err = ErrNoKey
	}
	return ring, err
}
