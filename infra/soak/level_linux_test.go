package soak

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// holds asks the kernel. A process that has ended holds nothing.
func holds(pid int) held {
	var h held
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		n, _ := strconv.ParseInt(words[0], 10, 64) // these two are numbers
		switch name {
		case "VmRSS":
			h.memory = n << 10
		case "Threads":
			h.threads = int(n)
		}
	}
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	h.files = len(files)
	return h
}
