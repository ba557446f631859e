package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ketter/ketter/infra/sample"
)

// fact is a line of the machine's description.
type fact struct{ name, value string }

func describeMachine(ctx context.Context, o options) []fact {
	facts := []fact{
		{"Date", time.Now().UTC().Format(time.DateOnly)},
		{"CPU", fmt.Sprintf("%s, %d cores", cpuModel(ctx), runtime.NumCPU())},
		{"Memory", procValue("/proc/meminfo", "MemTotal")},
		{"Load at the start", strings.Join(firstFields("/proc/loadavg", 3), ", ")},
		{"Kernel", firstLine(ctx, "uname", "-sr")},
		{"Memory's file system", fileSystem(o.memoryDir)},
		{"Disk's file system", fileSystem(o.diskDir)},
	}
	if o.ketter != "" {
		facts = append(facts, fact{"ketter", firstLine(ctx, o.ketter, "--version")})
	}
	for _, tool := range []string{"cp", "rsync", "tar", "rclone", "diff"} {
		facts = append(facts, fact{tool, firstLine(ctx, tool, "--version")})
	}
	return facts
}

// firstLine is the first line that a program says.
func firstLine(ctx context.Context, name string, args ...string) string {
	if _, err := exec.LookPath(name); err != nil {
		return "not installed"
	}
	out, err := exec.CommandContext(ctx, name, args...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	if line = strings.TrimSpace(line); err != nil || line == "" {
		return "unknown"
	}
	return line
}

func cpuModel(ctx context.Context) string {
	if runtime.GOOS == "darwin" {
		return firstLine(ctx, "sysctl", "-n", "machdep.cpu.brand_string")
	}
	return procValue("/proc/cpuinfo", "model name")
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

func firstFields(file string, n int) []string {
	text, _ := os.ReadFile(file)
	fields := strings.Fields(string(text))
	if len(fields) < n {
		return []string{"unknown"}
	}
	return fields[:n]
}

// fileSystem is the type of the file system that holds a folder, as ext4.
func fileSystem(dir string) string {
	best, kind := "", "unknown"
	text, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(best) {
			continue
		}
		if point := strings.TrimSuffix(fields[1], "/"); dir == point || strings.HasPrefix(dir, point+"/") {
			best, kind = fields[1], fields[2]
		}
	}
	return kind
}

func isMemory(dir string) bool {
	kind := fileSystem(dir)
	return kind == "tmpfs" || kind == "ramfs"
}

// room is how many bytes can be written: what is in memory needs memory, too.
func (p *place) room() int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(p.parent, &s); err != nil {
		return 0
	}
	free := int64(s.Bavail) * int64(s.Bsize)
	if isMemory(p.parent) {
		free = min(free, memoryAvailable())
	}
	return free
}

func memoryAvailable() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 1<<63 - 1 // no such system has a memory file system
}
