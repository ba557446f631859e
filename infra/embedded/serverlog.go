package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxLogSize = 16 << 20 // then the log is put aside at the next start, over the one before
	tailBytes  = 4 << 10
	tailLines  = 12
)

// serverLog is what the server says, from one start on.
type serverLog struct {
	path string
	file *os.File
	from int64
}

func logPath(stateDir string) string { return filepath.Join(stateDir, "postgres.log") }

func openServerLog(stateDir string) (serverLog, error) {
	path := logPath(stateDir)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, path+".1"); err != nil {
			return serverLog{}, fmt.Errorf("can't put the database's log aside: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return serverLog{}, fmt.Errorf("can't open the database's log: %w", err)
	}
	from, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return serverLog{}, errors.Join(err, file.Close())
	}
	return serverLog{path: path, file: file, from: from}, nil
}

// tail returns the last lines since the start, to be appended to an error.
func (l serverLog) tail() string {
	file, err := os.Open(l.path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	from := max(l.from, info.Size()-tailBytes)
	content, _ := io.ReadAll(io.NewSectionReader(file, from, tailBytes))
	return lastLines(string(content))
}

// lastLines returns the end of what a program said, set off from the sentence before it.
func lastLines(output string) string {
	output = strings.TrimSpace(output)
	if output == "" {
		return ""
	}
	lines := strings.Split(output, "\n")
	return ":\n  " + strings.Join(lines[max(0, len(lines)-tailLines):], "\n  ")
}
