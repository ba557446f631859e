package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// What an API says of a code steers no terminal.
func TestACodeSteersNoTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report(&out, &failure.Error{Code: "x\x1b]0;y\a", Message: "m"})
	if strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("%q", out.String())
	}
}

func TestABarOfNonsenseIsOne(t *testing.T) {
	t.Parallel()
	for _, p := range []transfer.Progress{{BytesDone: -1000000, BytesTotal: 10}, {FilesDone: -1 << 62, FilesTotal: 1}, {BytesDone: 1 << 62, BytesTotal: 1}} {
		bar(p, 80)
	}
}

func TestANameThatAShellWouldRunIsNotCompleted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"SRVTRF": true, "a.b_c-1": true, "$(id)": false, "a;b": false, "`id`": false, "a\nb": false, "": false} {
		if isPortalName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
