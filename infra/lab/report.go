package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/failure"
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

// PrepareReports makes the folder for reports, and finds out whether it can be written to.
func PrepareReports(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = unix.Access(dir, unix.W_OK)
	}
	if err == nil {
		return nil
	}
	return &failure.Error{Code: failure.InvalidRequest, Message: fmt.Sprintf("No report can be written to %q: %v", dir, err), Err: err,
		Hint: "Choose a folder that can be written to: --report-dir FOLDER"}
}

// Write writes the document and the same as JSON into a folder, and returns the document's path. What is there is never
// replaced: a name that is taken gets a number.
func (r Report) Write(dir string) (string, error) {
	const most = 100
	name := filepath.Join(dir, r.Started.Format("20060102T150405Z")+"-"+strings.Trim(foreign.ReplaceAllString(r.Host, "_"), "_"))
	list, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	free := name
	for i := 2; i <= most; i++ {
		if err = create(free+".md", []byte(r.Markdown())); !errors.Is(err, fs.ErrExist) {
			break
		}
		free = fmt.Sprintf("%s-%d", name, i)
	}
	if err != nil {
		return "", err
	}
	return free + ".md", create(free+".json", append(list, '\n'))
}

func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
