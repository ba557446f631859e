package redact

import "testing"

func TestANameCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                        "plain",
		"Séance “1” — 音 🎬":             "Séance “1” — 音 🎬",
		"\x1b[2Jgone\a\b\r":            `\x1b[2Jgone\x07\x08\x0d`,
		"two\nlines\tand a tab":        `two\x0alines\x09and a tab`,
		"\u009b31m red by one C1 rune": `\xc2\x9b31m red by one C1 rune`,
		"\x9b31m and by its byte":      `\x9b31m and by its byte`,
		"\x7f\xff\xc3(":                `\x7f\xff\xc3(`,
		"\uFFFD is a character":        "\uFFFD is a character",
		"":                             "",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := PrintableLines("one\x1b\n  two\x1b"); got != "one\\x1b\n  two\\x1b" {
		t.Errorf("lines are %q", got)
	}
}
