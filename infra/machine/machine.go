// Package machine says what a measurement was made on, and readies it for the next run: syncs, and drops caches where the
// system lets it. It never measures anything itself.
package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/ketter/ketter/infra/sample"
)

// Fact is a line of the machine's description.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FirstLine is the first line that a program says.
func FirstLine(ctx context.Context, name string, args ...string) string {
	if _, err := exec.LookPath(name); err != nil {
		return "not installed"
	}
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	if line = strings.TrimSpace(line); err != nil || line == "" {
		return "unknown"
	}
	return line
}

// CPU is its model and number of cores.
func CPU(ctx context.Context) string {
	model := procValue("/proc/cpuinfo", "model name")
	if runtime.GOOS == "darwin" {
		model = FirstLine(ctx, "sysctl", "-n", "machdep.cpu.brand_string")
	}
	return fmt.Sprintf("%s, %d cores", model, runtime.NumCPU())
}

// Memory is how much of it there is.
func Memory() string { return procValue("/proc/meminfo", "MemTotal") }

// Kernel is its name and release.
func Kernel(ctx context.Context) string { return FirstLine(ctx, "uname", "-sr") }

// Load is the load of the last 1, 5 and 15 minutes.
func Load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], ", ")
}

// procValue is what stands after "name:" in a file of /proc, in GiB if it is in kB.
func procValue(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != name {
			continue
		}
		var kilobytes int64
		if n, _ := fmt.Sscanf(value, "%d kB", &kilobytes); n == 1 {
			return sample.BytesText(kilobytes << 10)
		}
		return strings.TrimSpace(value)
	}
	return "unknown"
}
