package survival

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// journal is one file that all processes of a test append their logs to, and the test what it does to them. A line is one
// write, so the order of the lines is the order in which things happened, whatever clocks and readers do.
type journal struct {
	file *os.File

	mu      sync.Mutex
	read    int64
	entries []entry
}

// entry is a line of it.
type entry struct {
	Deed    string `json:"deed"`   // what the test did to a process, or saw it do: see the deeds
	Worker  string `json:"worker"` // which process that was
	Message string `json:"message"`
	Error   string `json:"error"`
	Address string `json:"address"`
	JobID   int64  `json:"job_id"`
	Run     string `json:"run"`
	text    string
}

// The deeds.
const (
	freezes = "freezes" // noted before it happens
	thaws   = "thaws"
	ended   = "ended" // noted after it has happened, by whatever cause
)

func newJournal(t *testing.T) *journal {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "journal"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	return &journal{file: file}
}

// note appends what happened to a process.
func (j *journal) note(deed, worker string) {
	line, _ := json.Marshal(map[string]string{"deed": deed, "worker": worker})
	_, _ = j.file.Write(append(line, '\n')) // a line that is missing makes the audit stricter
}

// all returns the lines so far.
func (j *journal) all() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := bufio.NewReader(io.NewSectionReader(j.file, j.read, 1<<40))
	for {
		line, err := rest.ReadBytes('\n')
		if err != nil { // what isn't whole yet is for the next time
			return j.entries
		}
		j.read += int64(len(line))
		e := entry{text: string(bytes.TrimSpace(line))}
		_ = json.Unmarshal(line, &e) // a panic's lines are text only
		j.entries = append(j.entries, e)
	}
}

// told returns the last lines that are about a job, or all if it is 0.
func (j *journal) told(jobID int64, most int) string { return toldOf(j.all(), jobID, most) }

func toldOf(entries []entry, jobID int64, most int) string {
	var lines []string
	for _, e := range entries {
		if jobID == 0 || e.JobID == jobID || e.Deed != "" {
			lines = append(lines, e.text)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
