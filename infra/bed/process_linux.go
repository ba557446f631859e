package bed

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endsWithUs has the kernel kill a process when this one dies.
func endsWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// children are the processes that one has started and that live.
func children(pid int) (ids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		content, _ := os.ReadFile(list) // of a thread that may have ended
		for _, word := range strings.Fields(string(content)) {
			if id, err := strconv.Atoi(word); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// killTree kills what a stopped process has started. Each is stopped before it is asked for its own, so that none gets away.
func killTree(pid int) {
	for _, child := range children(pid) {
		_ = syscall.Kill(child, syscall.SIGSTOP)
		killTree(child)
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
}
