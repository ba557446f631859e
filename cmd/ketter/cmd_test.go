package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// ketter runs a command line as a person would type it.
func ketter(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errOut bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errOut)
	status = execute(t.Context(), root)
	return out.String(), errOut.String(), status
}

func TestTransferSaysWhatItDidAndNeverOverwrites(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	source, destination := filepath.Join(folder, "session"), filepath.Join(folder, "out")
	makeFolder(t, source, 3)
	out, errOut, status := ketter(t, "transfer", "--from", source, "--to", destination, "--mode", "copy")
	if status != 0 || !strings.HasPrefix(out, "Copied 3 files, ") || !strings.Contains(out, "DIRECT, verified by checksum") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	sameTree(t, source, filepath.Join(destination, "session"))
	_, errOut, status = ketter(t, "transfer", "--from", source, "--to", destination, "--mode", "copy")
	if status != failure.DestinationExists.ExitStatus() ||
		!strings.Contains(errOut, "Destination already exists: "+filepath.Join(destination, "session")) {
		t.Errorf("status %d\n%s", status, errOut)
	}
	entries, err := os.ReadDir(destination)
	if err != nil || len(entries) != 1 {
		t.Errorf("the destination holds %v (%v)", entries, err)
	}
}

func TestTransferTellsAScriptInJSONLines(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	source := filepath.Join(folder, "session")
	makeFolder(t, source, 3)
	out, _, status := ketter(t, "transfer", "--from", source, "--to", filepath.Join(folder, "out"), "--mode", "move",
		"--strategy", "zip-first", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || status != 0 {
		t.Fatalf("status %d, %v\n%s", status, err, out)
	}
	if last["message_type"] != "summary" || last["method"] != "archive" || last["files"] != 3.0 {
		t.Errorf("summary: %v", last)
	}
	out, _, status = ketter(t, "transfer", "--from", source, "--to", folder, "--mode", "move", "--json")
	if status != failure.SourceNotFound.ExitStatus() || !strings.Contains(out, `"message_type":"error"`) {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestAMistypedCommandLineIsRefusedWithAHint(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"transfer"},
		{"transfer", "--from", "a", "--mode", "copy"},
		{"transfer", "--from", "a", "--to", "b", "--mode", "sync"},
		{"transfer", "--from", "a", "--to", "b", "--mode", "copy", "--strategy", "tar"},
		{"transfer", "--from", "a", "--to", "b", "--mode", "copy", "--verify", "md5"},
		{"transfer", "--form", "a"},
		{"serve", "now"},
		{"migrate", "down"},
		{"bogus"},
	} {
		_, errOut, status := ketter(t, args...)
		if status != failure.InvalidRequest.ExitStatus() || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%v: status %d\n%s", args, status, errOut)
		}
	}
}

func TestServicesRefuseToStartWithoutDatabaseOrRoots(t *testing.T) {
	for _, command := range []string{"serve", "worker"} {
		t.Setenv("DB_URL", "")
		if _, errOut, status := ketter(t, command); status != 2 || !strings.Contains(errOut, "DB_URL is not set") {
			t.Errorf("%s: status %d\n%s", command, status, errOut)
		}
		t.Setenv("DB_URL", "postgres://127.0.0.1:1/ketter")
		t.Setenv("KETTER_ALLOWED_ROOTS", "")
		if _, errOut, status := ketter(t, command); status != 2 || !strings.Contains(errOut, "KETTER_ALLOWED_ROOTS is not set") {
			t.Errorf("%s: status %d\n%s", command, status, errOut)
		}
	}
}

func TestTheBarFitsItsTerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{40, 80, 200} {
		line := bar(transfer.Progress{
			Phase: transfer.Publishing, FilesDone: 1e6, FilesTotal: 2e6, BytesDone: 9e14, BytesTotal: 1e15,
		}, columns)
		if len(line) > columns {
			t.Errorf("%d columns: %q", columns, line)
		}
	}
}

func TestTheBarGrowsWithWhatIsDone(t *testing.T) {
	t.Parallel()
	for done, want := range map[int64]string{
		0:   "copying      0% [             ] 1/2 files  0 B  100 B/s  9s left",
		50:  "copying     50% [======       ] 1/2 files  50 B  100 B/s  9s left",
		200: "copying    100% [=============] 1/2 files  200 B  100 B/s  9s left",
	} {
		p := transfer.Progress{Phase: transfer.Copying, FilesDone: 1, FilesTotal: 2, BytesDone: done, BytesTotal: 100, BytesPerSecond: 100, Left: 9 * time.Second}
		if got := bar(p, len(want)); got != want {
			t.Errorf("%d: %q, not %q", done, got, want)
		}
	}
	if got := bar(transfer.Progress{Phase: transfer.Scanning, FilesDone: 7}, 80); got != "scanning   7 files  0 B" {
		t.Errorf("without totals: %q", got)
	}
}
