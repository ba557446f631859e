// Package redact makes what others have said fit to be shown: on a terminal, and in reports that are sent around. It leaves out
// secrets, those that it was told of and what looks like one, and makes control characters visible. It never sees a log or a
// database: those are given no secret in the first place.
package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Redactor knows secrets. The zero one knows those by their shape alone.
type Redactor struct {
	secrets []string       // are left out wherever they are
	short   []string       // are left out of URLs alone
	parts   *regexp.Regexp // are left out where they are words; nil: there are none
}

const redacted = "[redacted]"

// shortest is what a known secret must have of characters to be looked for everywhere: shorter ones, such as postgres, ketter
// and password, are words that every text is full of.
const shortest = 9

// New knows the passwords of URLs, and other secrets, each as it is.
func New(urls []string, secrets ...string) Redactor {
	secrets = slices.Clone(secrets)
	var parts []string
	for _, text := range urls {
		secrets = append(secrets, passwords(text)...)
		if raw := written(text); misread(raw) {
			parts = append(parts, words.FindAllString(raw, -1)...)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	secrets = slices.DeleteFunc(slices.Compact(secrets), func(s string) bool { return s == "" })
	long := slices.IndexFunc(secrets, func(s string) bool { return len(s) < shortest })
	if long < 0 {
		long = len(secrets)
	}
	return Redactor{secrets: secrets[:long], short: secrets[long:], parts: anyOf(parts)}
}

// passwords are those of a URL: in the ways that it may be repeated, and as a person means it who has not escaped it.
func passwords(text string) []string {
	raw := written(text)
	found := []string{raw}
	u, err := url.Parse(text)
	if err != nil {
		return append(found, text, strings.Trim(strconv.Quote(text), `"`))
	}
	password, _ := u.User.Password()
	return append(found, password, url.QueryEscape(password), url.PathEscape(password), u.Query().Get("password"))
}

// written is the password of a URL as it stands there: all between the first colon of what names the user and the last @, also
// where signs that end this part of a URL are in it.
func written(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	_, password, _ := strings.Cut(rest[:max(0, strings.LastIndex(rest, "@"))], ":")
	return password
}

// misread tells a password that who reads the URL takes apart: one that holds, unescaped, what ends a part of it. The pieces are then
// taken for a host, a port or a database, and said to be wrong.
func misread(password string) bool {
	_, err := url.PathUnescape(password)
	return err != nil || strings.ContainsAny(password, "@/#?")
}

// words are the pieces of such a password; what has one character tells too little to spoil the text for.
var words = regexp.MustCompile(`\w{2,}`)

// anyOf finds any of these, where it is a word of its own.
func anyOf(words []string) *regexp.Regexp {
	if len(words) == 0 {
		return nil
	}
	return regexp.MustCompile(`\b(?:` + strings.Join(words, "|") + `)\b`)
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

// Hide leaves out secrets.
func (r Redactor) Hide(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	for _, secret := range r.short {
		text = strings.ReplaceAll(text, ":"+secret+"@", ":"+redacted+"@")
	}
	if r.parts != nil {
		text = r.parts.ReplaceAllString(text, redacted)
	}
	for _, shape := range shapes {
		text = shape.is.ReplaceAllString(text, shape.with)
	}
	return text
}

// Line is text of one line without secrets, and without what a terminal would obey.
func (r Redactor) Line(text string) string { return Printable(r.Hide(text)) }

// Clean is Line for text of several lines, which become one.
func (r Redactor) Clean(text string) string {
	return Printable(strings.Join(strings.Fields(r.Hide(text)), " "))
}
