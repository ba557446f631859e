package tokens

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/ketter/ketter/infra/fresh"
)

// Verifier tells whose token a text is. What is added to its file, or taken out of it, counts within a second.
type Verifier struct{ list *fresh.Value[[]Token] }

// NewVerifier reads the file, which must be there. While it can't be read later, the tokens are those that were read last; tell
// is called with why, once, and with nil when it was read anew.
func NewVerifier(path string, tell func(error)) (*Verifier, error) {
	list, err := fresh.New(func() ([]Token, error) { return Read(path) }, tell, path)
	if err != nil {
		return nil, err
	}
	return &Verifier{list}, nil
}

// Name returns the name of a token. How long it takes says nothing of how much of a text was right: hashes are compared, all of
// them, each to its end.
func (v *Verifier) Name(text string) (name string, known bool) {
	hash := sha256.Sum256([]byte(text))
	for _, token := range v.list.Get() {
		if subtle.ConstantTimeCompare(hash[:], token.hash[:]) == 1 {
			name, known = token.Name, true
		}
	}
	return name, known
}

// Count is how many tokens there are.
func (v *Verifier) Count() int { return len(v.list.Get()) }
