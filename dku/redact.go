package dku

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Redactor makes text fit to be shown: nothing that is printed or written has not been through Clean.
type Redactor struct {
	secrets []string // are left out wherever they are
	short   []string // are left out of URLs alone
}

const redacted = "[redacted]"

// shortest is what a known secret must have of characters to be looked for everywhere: shorter ones, such as postgres, ketter
// and password, are words that every text is full of.
const shortest = 9

// NewRedactor knows the passwords of URLs, and other secrets, each as it is.
func NewRedactor(urls []string, secrets ...string) Redactor {
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil {
			password, _ := u.User.Password()
			secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password), u.Query().Get("password"))
		} else {
			secrets = append(secrets, text)
		}
	}
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	secrets = slices.DeleteFunc(slices.Compact(secrets), func(s string) bool { return s == "" })
	long := slices.IndexFunc(secrets, func(s string) bool { return len(s) < shortest })
	if long < 0 {
		long = len(secrets)
	}
	return Redactor{secrets: secrets[:long], short: secrets[long:]}
}

// shapes are those of secrets that nobody told of.
var shapes = []struct {
	is   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), redacted},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*):[^\s/@]*@`), "${1}:" + redacted + "@"},
	{regexp.MustCompile(`(?i)([a-z0-9_]*(?:password|passwd|passphrase|secret|secret_key|token|api_?key)["']?)(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)`), "${1}${2}" + redacted},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}`), "${1} " + redacted},
}

// Clean leaves out secrets, and what a terminal would obey.
func (r Redactor) Clean(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	for _, secret := range r.short {
		text = strings.ReplaceAll(text, ":"+secret+"@", ":"+redacted+"@")
	}
	for _, shape := range shapes {
		text = shape.is.ReplaceAllString(text, shape.with)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD"))
}

// cleanKey leaves a check's id as it is: it is none of the outside's.
func (r Redactor) cleanKey(text string) string {
	id, subject, _ := strings.Cut(text, " ")
	return key(id, r.Clean(subject))
}
