package embedded

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// commandLine returns the arguments of a live process, or nothing when there is none or it has ended (a zombie's are empty).
func commandLine(_ context.Context, pid int) []string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(content), "\x00"), "\x00")
}

// runsOn says whether arguments are those of a postgres that was started on dataDir.
func runsOn(arguments []string, dataDir string) bool {
	if len(arguments) == 0 || !isPostgres(arguments[0]) {
		return false
	}
	for i := 1; i < len(arguments)-1; i++ {
		if arguments[i] == "-D" && arguments[i+1] == dataDir {
			return true
		}
	}
	return false
}
