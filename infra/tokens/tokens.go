// Package tokens is the file of who may use the API: a line for each token, with its name and its hash. A token is shown once,
// when it is made; the file never holds one, and neither does an error or a log of this package's.
//
//	# Ketter's API tokens …
//	ana sha256:9f86d081884c7d65…(64 digits) 2026-05-04T12:00:00Z
//
// The hash is a plain SHA-256, for tokens are random: see docs/adr/0014. The file is replaced as a whole, under a lock
// (Create, Revoke), and read again by those who ask it (Verifier) once it has changed.
package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	// Prefix begins every token, so that who scans texts for secrets finds them: ketter_[0-9a-f]{48}
	Prefix     = "ketter_"
	randomSize = 24 // bytes: 192 bits

	algorithm = "sha256:"
	maxTokens = 1000
	maxFile   = 1 << 20
)

// Token is what the file knows of one.
type Token struct {
	Name    string
	Created time.Time
	hash    [sha256.Size]byte
}

// Refusals of a name.
var (
	ErrName   = errors.New("a token's name begins with a letter or digit and has letters, digits, '.', '_' and '-', 63 at most")
	ErrExists = errors.New("there is a token of this name already")
	ErrNone   = errors.New("there is no token of this name")
)

// isName is the rule that the database has for it too.
var isName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`).MatchString

// generate makes the text of a token.
func generate() string {
	raw := make([]byte, randomSize)
	_, _ = rand.Read(raw) // it never fails: crypto/rand
	return Prefix + hex.EncodeToString(raw)
}

const heading = "# Ketter's API tokens: name, hash, when it was made. `ketter tokens` writes this file; services read it again when it changes.\n"

func format(list []Token) string {
	var b strings.Builder
	b.WriteString(heading)
	for _, token := range list {
		fmt.Fprintf(&b, "%s %s%x %s\n", token.Name, algorithm, token.hash, token.Created.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// parse reads the file's text. An error names the line, and quotes nothing of it: somebody may have put a token there.
func parse(text string) ([]Token, error) {
	var list []Token
	names := map[string]int{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		token, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if before := names[token.Name]; before != 0 {
			return nil, fmt.Errorf("line %d: the token %s stands in line %d already", number, token.Name, before)
		}
		if names[token.Name] = number; len(names) > maxTokens {
			return nil, fmt.Errorf("line %d: there are more than %d tokens", number, maxTokens)
		}
		list = append(list, token)
	}
	return list, nil
}

func parseLine(line string) (token Token, err error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return token, errors.New("it isn't a name, a hash and a time (`ketter tokens create NAME` writes such lines)")
	}
	if token.Name = fields[0]; !isName(token.Name) {
		return token, ErrName
	}
	digits, known := strings.CutPrefix(fields[1], algorithm)
	hash, err := hex.DecodeString(digits)
	if !known || err != nil || len(hash) != sha256.Size {
		return token, fmt.Errorf("the hash isn't %s and %d hexadecimal digits", algorithm, 2*sha256.Size)
	}
	token.hash = [sha256.Size]byte(hash)
	token.Created, err = time.Parse(time.RFC3339, fields[2])
	if year := token.Created.UTC().Year(); err != nil || year < 1 || year > 9999 { // which RFC 3339 can't write
		return token, errors.New("the time isn't one as 2026-05-04T12:00:00Z")
	}
	return token, nil
}
