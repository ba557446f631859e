// Package secret encrypts what must not lie about in clear, with AES-256-GCM and keys that the environment brings. It keeps no
// key anywhere, and neither an error nor a %v of its own ever holds one, or any of what it encrypts.
//
// What Seal returns is
//
//	version (1 byte) │ key id (8 bytes) │ nonce (12 bytes) │ ciphertext and tag
//
// The key id, the beginning of the key's SHA-256, says which of several keys opens it. It says nothing of the key, for keys
// are random. All that stands before the ciphertext is authenticated, and so is what the secret is for: one that is copied
// to another place doesn't open there.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Why a secret can't be opened or sealed.
var (
	ErrNoKey      = errors.New("there is no key")
	ErrUnknownKey = errors.New("it was encrypted with a key that is not among those given")
	ErrDamaged    = errors.New("it is damaged, or was encrypted for something else")
)

const (
	version    = 1
	keySize    = 32
	idSize     = 8
	headerSize = 1 + idSize
)

// Keyring is a set of keys: the first encrypts, all decrypt. The zero one has none.
type Keyring struct{ keys []key }

type key struct {
	id   [idSize]byte
	aead cipher.AEAD
}

// Format says nothing of the keys, whatever the verb.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "(%d keys)", len(k.keys)) }

// Empty reports whether there is no key.
func (k Keyring) Empty() bool { return len(k.keys) == 0 }

func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCM(block)
	sum := sha256.Sum256(raw)
	return key{id: [idSize]byte(sum[:idSize]), aead: aead}, err
}

// Seal encrypts with the first key. Only what names the same purpose opens it.
func (k Keyring) Seal(plain []byte, purpose string) ([]byte, error) {
	if k.Empty() {
		return nil, ErrNoKey
	}
	first := k.keys[0]
	sealed := append([]byte{version}, first.id[:]...)
	nonce := make([]byte, first.aead.NonceSize())
	_, _ = rand.Read(nonce) // it never fails: crypto/rand
	bound := bind(sealed, purpose)
	return first.aead.Seal(append(sealed, nonce...), nonce, plain, bound), nil
}

// Open decrypts what Seal has made for the same purpose.
func (k Keyring) Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != version {
		return nil, ErrDamaged
	}
	i := k.find(sealed)
	if i < 0 {
		return nil, ErrUnknownKey
	}
	header, rest := sealed[:headerSize], sealed[headerSize:]
	aead := k.keys[i].aead
	if len(rest) < aead.NonceSize() {
		return nil, ErrDamaged
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], bind(header, purpose))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// Knows reports whether the key is there that sealed was made with.
func (k Keyring) Knows(sealed []byte) bool { return k.find(sealed) >= 0 }

// Current reports whether sealed was made with the first key.
func (k Keyring) Current(sealed []byte) bool { return k.find(sealed) == 0 }

func (k Keyring) find(sealed []byte) int {
	if len(sealed) < headerSize {
		return -1
	}
	id := sealed[1:headerSize]
	return slices.IndexFunc(k.keys, func(known key) bool { return bytes.Equal(known.id[:], id) })
}

func bind(header []byte, purpose string) []byte { return append(slices.Clone(header), purpose...) }
