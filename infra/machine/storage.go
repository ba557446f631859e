package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// FileSystem is the type of the file system that holds a folder, as ext4.
func FileSystem(dir string) string {
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

// IsMemory reports whether a folder is in memory.
func IsMemory(dir string) bool {
	kind := FileSystem(dir)
	return kind == "tmpfs" || kind == "ramfs"
}

// Room is how many bytes can be written into a folder: what is in memory needs memory, too.
func Room(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("asking %s for its free space: %w", dir, err)
	}
	free := int64(s.Bavail) * int64(s.Bsize)
	if IsMemory(dir) {
		free = min(free, memoryAvailable())
	}
	return free, nil
}

// Blocks are what a file system gives files room in.
type Blocks struct {
	Size            int64 // in bytes
	Free, Available int64 // to root, and to everybody
}

// BlocksOf are those of the file system that holds a folder.
func BlocksOf(dir string) (Blocks, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Blocks{}, fmt.Errorf("asking %s for its free space: %w", dir, err)
	}
	return Blocks{int64(s.Bsize), int64(s.Bfree), int64(s.Bavail)}, nil
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

// Sync has everything written that is held back.
func Sync(ctx context.Context) error {
	if err := exec.CommandContext(ctx, "sync").Run(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// What DropCaches drops, as Linux numbers it.
const (
	Data          = "1"
	DataAndNames  = "3"
	dropCachesNow = "/proc/sys/vm/drop_caches"
)

// DropCaches is for root alone, and of the whole machine: Linux knows no other.
func DropCaches(what string) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("dropping caches needs root, on Linux")
	}
	if err := os.WriteFile(dropCachesNow, []byte(what), 0); err != nil {
		return fmt.Errorf("dropping caches: %w", err)
	}
	return nil
}
