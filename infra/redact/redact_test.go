package redact

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNoSecretPassesTheRedactor(t *testing.T) {
	t.Parallel()
	const needle = "n33dle/with@signs"
	escaped := "n33dle%2Fwith%40signs"
	r := New([]string{"postgres://ketter:" + escaped + "@db/ketter", "redis://:r3dispass@redis:6379/0"}, "k3y-of-portals")
	for _, text := range []string{
		"as it is: " + needle, "in a URL: postgres://ketter:" + escaped + "@db/ketter", "redis says r3dispass", "key k3y-of-portals",
		"another's URL: sftp://user:n33dle@host/x", "password=n33dle", "PGPASSWORD: 'n33dle'", `"token" = n33dle`, "token=n33dle&x=y",
		"Authorization: Bearer n33dlen33dle", "-----BEGIN OPENSSH PRIVATE KEY-----\nn33dle\n-----END OPENSSH PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\nn33dle, cut off", "KETTER_SECRET_KEY=n33dle",
	} {
		clean := r.Clean(text)
		for _, secret := range []string{"n33dle", "r3dispass", "k3y-of-portals"} {
			if strings.Contains(clean, secret) {
				t.Errorf("%q became %q", text, clean)
			}
		}
		if !strings.Contains(clean, redacted) {
			t.Errorf("%q became %q, which doesn't say that something is missing", text, clean)
		}
	}
}

func TestWhatIsNoSecretPassesTheRedactor(t *testing.T) {
	t.Parallel()
	r := New([]string{"postgres://ketter@db/ketter", "redis://redis"}, "", "abc")
	for _, text := range []string{"The database answers.", "http://127.0.0.1:8000", "/mnt/nexis/abc", "the password is wrong"} {
		if clean := r.Clean(text); clean != text {
			t.Errorf("%q became %q", text, clean)
		}
	}
}

// A password such as these is weak, but a report without its own words helps nobody.
func TestAPasswordThatIsAWordLeavesTheReportsWords(t *testing.T) {
	t.Parallel()
	r := New([]string{"postgres://postgres:postgres@db/ketter", "redis://:ketter@redis"})
	if clean := r.Clean("Run `ketter up`."); clean != "Run `ketter up`." {
		t.Errorf("%q", clean)
	}
	for _, text := range []string{"postgres://postgres:postgres@db", "dial redis://:ketter@redis", "password=ketter", "postgres:postgres@db"} {
		if clean := r.Clean(text); !strings.Contains(clean, redacted) || strings.HasSuffix(clean, "=ketter") || strings.Contains(clean, ":ketter@") || strings.Contains(clean, ":postgres@") {
			t.Errorf("%q became %q", text, clean)
		}
	}
}

// The name of a file may hold what a terminal obeys, and ends of lines would make findings of their own.
func TestATerminalObeysNoFinding(t *testing.T) {
	t.Parallel()
	if clean := New(nil).Clean("a\x1b[2Jb\nFAIL\x00\xffc"); strings.ContainsAny(clean, "\x1b\n\x00") || !utf8.ValidString(clean) {
		t.Errorf("%q", clean)
	}
}

// Who doesn't escape a password has it taken apart: the pieces are said to be hosts, ports and databases that are wrong.
func TestNoPieceOfAPasswordThatIsNotEscapedPasses(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"@", "/", "#", "?", "%"} {
		password := "n33dle" + sign + "l33t"
		r := New([]string{"postgres://ketter:" + password + "@db.example:5432/jobs", "redis://:" + password + "@redis:6379"})
		for _, text := range []string{
			"as it is: " + password, "postgres://ketter:" + password + "@db.example:5432/jobs", `parse "redis://:` + password + `@redis:6379"`,
			"lookup l33t: no such host", `invalid port ":n33dle" after host`, "failed to connect to `user=ketter database=l33t@db.example`",
			"host=l33t@db.example", `invalid URL escape "%l33"`, "dial tcp n33dle:5432", "/l33t@db.example",
		} {
			clean := r.Clean(text)
			if strings.Contains(clean, "n33dle") || strings.Contains(clean, "l33t") {
				t.Errorf("%s: %q became %q", sign, text, clean)
			}
		}
		const plain = "Job 7 of ketter is well, and jobs wait in db.example."
		if clean := r.Clean(plain); clean != plain {
			t.Errorf("%s: %q", sign, clean)
		}
	}
	r := New([]string{"postgres://u:pa@ss@host/db"})
	if clean := r.Clean("postgres://u:pa@ss@host/db: lookup ss@host, password pa"); clean != "postgres://u:[redacted]@host/db: lookup [redacted]@host, password [redacted]" {
		t.Errorf("%q", clean)
	}
}

// An address that isn't a password's stays as it is: an operator must see which one doesn't answer.
func TestAddressesPassTheRedactor(t *testing.T) {
	t.Parallel()
	r := New([]string{"postgres://ketter:secr3t-of-db@db.example:5432/jobs?sslmode=disable", "host=db.example password=x"})
	const text = "dial tcp db.example:5432: connection refused (database jobs)"
	if clean := r.Clean(text); clean != text {
		t.Errorf("%q", clean)
	}
}
