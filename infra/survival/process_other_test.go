//go:build !linux

package survival

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// endsWithUs is what the tests' cleanups do here; only Linux can do it for tests that are killed.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func isStopped(pid int) bool {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(state)), "T")
}

// bytesRead is told by Linux only.
func bytesRead(int) (int64, bool) { return 0, false }
