package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain fails when a test left a file or folder open: after all of them, what they had opened is deleted. Only Linux
// tells. As a child process of the torture it does one run of a job instead.
func TestMain(m *testing.M) {
	if asked := os.Getenv(childEnv); asked != "" {
		os.Exit(childMain(asked))
	}
	status := m.Run()
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range open {
		if path, err := os.Readlink(fd); err == nil && strings.Contains(path, "/Test") {
			fmt.Println("FAIL: left open:", path)
			status = 1
		}
	}
	os.Exit(status)
}
