package dku

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNoSecretPassesTheRedactor(t *testing.T) {
	t.Parallel()
	const needle = "n33dle/with@signs"
	escaped := "n33dle%2Fwith%40signs"
	r := NewRedactor([]string{"postgres://ketter:" + escaped + "@db/ketter", "redis://:r3dispass@redis:6379/0"}, "k3y-of-portals")
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
	r := NewRedactor([]string{"postgres://ketter@db/ketter", "redis://redis"}, "", "abc")
	for _, text := range []string{"The database answers.", "http://127.0.0.1:8000", "/mnt/nexis/abc", "the password is wrong"} {
		if clean := r.Clean(text); clean != text {
			t.Errorf("%q became %q", text, clean)
		}
	}
}

// A password such as these is weak, but a report without its own words helps nobody.
func TestAPasswordThatIsAWordLeavesTheReportsWords(t *testing.T) {
	t.Parallel()
	r := NewRedactor([]string{"postgres://postgres:postgres@db/ketter", "redis://:ketter@redis"})
	check := Check{ID: "postgres.latency"}
	f := check.complete([]Finding{notRun("postgres.reachable")}, r)[0]
	if f.BlockedBy != "postgres.reachable" || !strings.Contains(f.Advice, "Mend postgres.reachable first") {
		t.Errorf("%+v", f)
	}
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
	if clean := NewRedactor(nil).Clean("a\x1b[2Jb\nFAIL\x00\xffc"); strings.ContainsAny(clean, "\x1b\n\x00") || !utf8.ValidString(clean) {
		t.Errorf("%q", clean)
	}
}
