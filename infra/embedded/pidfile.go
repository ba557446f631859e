package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// pidFile is what a server writes into postmaster.pid of its data directory (src/include/utils/pidfile.h).
type pidFile struct {
	pid     int
	dataDir string // as the server was told
	port    int
	ready   bool // it accepts connections
}

// readPIDFile returns the zero value when there is none, or none that is whole yet.
func readPIDFile(dataDir string) pidFile {
	content, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	lines := strings.Split(string(content), "\n")
	if err != nil || len(lines) < 5 { // the first five are written at once
		return pidFile{}
	}
	pid, pidErr := strconv.Atoi(strings.TrimSpace(lines[0]))
	port, portErr := strconv.Atoi(strings.TrimSpace(lines[3]))
	if pidErr != nil || portErr != nil || pid <= 0 {
		return pidFile{}
	}
	return pidFile{pid: pid, dataDir: lines[1], port: port,
		ready: len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"}
}

// names says whether the file names a live server on dataDir. A pid alone proves nothing: it is recycled after a reboot,
// and a copied data directory brings along the pid of the original's server. A directory that was renamed below its
// running server is no longer where the file says, and is still its server's.
func (f pidFile) names(ctx context.Context, dataDir string) bool {
	if f.pid == 0 || !runsOn(commandLine(ctx, f.pid), f.dataDir) {
		return false
	}
	theirs, err := os.Stat(f.dataDir)
	if err != nil {
		return os.IsNotExist(err)
	}
	ours, err := os.Stat(dataDir)
	return err == nil && os.SameFile(ours, theirs)
}

func isPostgres(program string) bool {
	return filepath.Base(program) == "postgres"
}
