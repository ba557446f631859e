package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
)

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
