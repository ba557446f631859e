package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ketter/ketter/infra/machine"
)

// Report is what a run has found.
type Report struct {
	Started        time.Time       `json:"started"`
	Host           string          `json:"host"`
	Quick          bool            `json:"quick"`
	Note           string          `json:"note,omitempty"`
	Rounds         int             `json:"rounds"`
	Environment    []machine.Fact  `json:"environment"`
	CachesKept     string          `json:"-"`
	Figures        []Series        `json:"figures"`
	Cells          []Cell          `json:"cells"`
	Recommendation *Recommendation `json:"recommendation"`
	Stored         string          `json:"stored,omitempty"` // the portal
	Verified       []Verification  `json:"verified"`
	Expectations   []Expectation   `json:"expectations"`
	complete       bool
}

// Complete says whether all that was asked for was done, whatever came of it: only then is the report one.
func (r Report) Complete() bool { return r.complete }

// describe is the environment, as it is before the first run.
func (l *lab) describe(ctx context.Context) {
	host, _ := os.Hostname() // without one the report has none
	l.report.Started, l.report.Host, l.report.Quick, l.report.Note, l.report.Rounds = time.Now().UTC(), host, l.Quick, l.Note, l.Rounds
	_ = l.settle(ctx) // tells whether caches can be dropped; the first run says what else is wrong
	l.report.Environment = []machine.Fact{
		{Name: "Ketter", Value: l.Version},
		{Name: "Command", Value: "`" + l.Invocation + "`"},
		{Name: "CPU", Value: machine.CPU(ctx)},
		{Name: "Memory", Value: machine.Memory()},
		{Name: "Kernel", Value: machine.Kernel(ctx)},
		{Name: "Load at the start", Value: machine.Load()},
		{Name: "Source", Value: described(l.Source)},
		{Name: "Destination", Value: described(l.Destination)},
		{Name: "Rounds", Value: fmt.Sprint(l.Rounds)},
		{Name: "Caches", Value: l.caches()},
	}
}

func (l *lab) caches() string {
	switch {
	case l.KeepCaches:
		return "kept, as asked (--keep-caches): sources may be read from memory"
	case l.report.CachesKept != "":
		return "synced before each run, but kept (" + l.report.CachesKept + "): sources may be read from memory"
	}
	return "synced and dropped before each run: every source is read cold"
}

func described(s Side) string {
	if s.Here == "" {
		return s.String() + ", which this host doesn't see"
	}
	text := s.String() + ", " + machine.FileSystem(s.Here)
	if free, err := machine.Room(s.Here); err == nil {
		text += fmt.Sprintf(", %.1f GB free", float64(free)/1e9)
	}
	return text
}

// Failures is how many expectations did not hold.
func (r Report) Failures() (n int) {
	for _, e := range r.Expectations {
		if e.Verdict == Failed {
			n++
		}
	}
	return n
}

var foreign = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// Write writes the document and the same as JSON into a folder, which is made, and returns the document's path. What is there
// under these names is never replaced.
func (r Report) Write(dir string) (string, error) {
	name := filepath.Join(dir, r.Started.Format("20060102T150405Z")+"-"+strings.Trim(foreign.ReplaceAllString(r.Host, "_"), "_"))
	list, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return name + ".md", errors.Join(create(name+".md", []byte(r.Markdown())), create(name+".json", append(list, '\n')))
}

func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
