package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
)

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
		if got := printable(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := printableLines("one\x1b\n  two\x1b"); got != "one\\x1b\n  two\\x1b" {
		t.Errorf("lines are %q", got)
	}
}

func TestTransferPrintsNoNameRaw(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	const name = "take\x1b]0;owned\a\u009b1m"
	source, link := filepath.Join(folder, name), filepath.Join(folder, "link")
	makeFolder(t, source, 1)
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, "to")
	for what, status := range map[string]int{
		source:           0,
		source + "-gone": failure.SourceNotFound.ExitStatus(),
		link:             failure.UnsupportedFileType.ExitStatus(), // its hint says where it leads
	} {
		out, errOut, got := ketter(t, "transfer", "--from", what, "--to", to, "--mode", "copy")
		if said := out + errOut; got != status || strings.ContainsAny(said, "\x1b\a\u009b") || !strings.Contains(said, `take\x1b]0;owned\x07\xc2\x9b1m`) {
			t.Errorf("%q: status %d, %q", what, got, said)
		}
	}
	out, _, _ := ketter(t, "transfer", "--from", source, "--to", to, "--mode", "copy", "--json")
	if strings.ContainsAny(out, "\x1b\a") {
		t.Errorf("JSON holds it raw: %q", out)
	}
}
