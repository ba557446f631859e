package dku

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deadPID is the id of a process that is gone.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestWhatAKilledDKUHasLeftIsNamedAndStays(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	killed := filepath.Join(root, fmt.Sprintf("%s%d-abc", ScratchPrefix, deadPID(t)))
	running := filepath.Join(root, fmt.Sprintf("%s%d-abc", ScratchPrefix, os.Getppid()))
	reused := filepath.Join(root, fmt.Sprintf("%s%d-old", ScratchPrefix, os.Getppid()))
	before := filepath.Join(root, ScratchPrefix+"abcdefghij") // as versions before named theirs
	for _, folder := range []string{killed, running, reused, before, filepath.Join(root, "Session"), filepath.Join(root, ScratchPrefix+"1'; rm x; '")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Chtimes(reused, long, long), os.WriteFile(filepath.Join(root, ScratchPrefix+"1-file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	f := rootLeftovers(root)(t.Context())
	if f.Verdict != Warn || *f.Figure != 3 || strings.Contains(f.Message, running) || strings.Contains(f.Message, "Session") || strings.Contains(f.Message, "-file") || strings.Contains(f.Advice, "rm x") {
		t.Errorf("%+v", f)
	}
	for _, folder := range []string{killed, reused, before} {
		if _, err := os.Stat(folder); err != nil || !strings.Contains(f.Advice, "'"+folder+"'") {
			t.Errorf("%s: %v: %+v", folder, err, f)
		}
	}
	if f := rootLeftovers(t.TempDir())(t.Context()); f.Verdict != OK {
		t.Errorf("%+v", f)
	}
}
