//go:build !linux

package embedded

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
)

// commandLine returns the command line of a live process as its only element, or nothing when there is none: without /proc,
// ps tells it, and ps does not say where an argument ends.
func commandLine(ctx context.Context, pid int) []string {
	output, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if line := strings.TrimSpace(string(output)); err == nil && line != "" {
		return []string{line}
	}
	return nil
}

// runsOn says whether arguments are those of a postgres that was started on dataDir.
func runsOn(arguments []string, dataDir string) bool {
	if len(arguments) == 0 {
		return false
	}
	program, rest, _ := strings.Cut(arguments[0], " -D ")
	return isPostgres(program) && (rest == dataDir || strings.HasPrefix(rest, dataDir+" "))
}
