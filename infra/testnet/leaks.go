package testnet

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// Main runs a package's tests, and fails them when goroutines are left at the end that weren't there at the beginning.
func Main(m *testing.M) {
	before := runtime.NumGoroutine()
	status := m.Run()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "%d goroutines are left:\n%s\n", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
			status = max(status, 1)
			break
		}
	}
	os.Exit(status)
}
