package lab

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// Verdict is what became of an expectation.
type Verdict string

// The verdicts.
const (
	Passed Verdict = "passed"
	Failed Verdict = "FAILED"
	NotRun Verdict = "not run"
)

// Expectation is something that must hold, and whether it did.
type Expectation struct {
	Lab     string  `json:"lab"`
	What    string  `json:"what"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"`
}

// expect lists an expectation; a problem is a failure.
func (l *lab) expect(lab, what, problem string) {
	e := Expectation{lab, what, Passed, problem}
	if problem != "" {
		e.Verdict = Failed
	}
	l.report.Expectations = append(l.report.Expectations, e)
}

// leave lists what was not tested, and why.
func (l *lab) leave(lab, what, why string) {
	l.report.Expectations = append(l.report.Expectations, Expectation{lab, what, NotRun, why})
	l.say("%s: not run: %s", what, why)
}

// prove compares what a job says and has made with what was asked for, and says what isn't so.
func (l *lab) prove(m *made, w way, to Side, job client.JobDetail, wanted transfer.Strategy) (problem string, err error) {
	switch {
	case job.Strategy == nil || *job.Strategy != wanted:
		return fmt.Sprintf("job %d took another strategy than %s", job.ID, wanted), nil
	case job.FilesCopied != m.files || job.BytesCopied != m.bytes:
		return fmt.Sprintf("job %d counted %d files and %d bytes, of %d and %d", job.ID, job.FilesCopied, job.BytesCopied, m.files, m.bytes), nil
	case !timed(job):
		return fmt.Sprintf("job %d: duration_seconds isn't from started_at to finished_at", job.ID), nil
	}
	if to.Here != "" {
		eventually(func() bool { return len(staged(to.Here)) == 0 })
		if problem, err = m.arrived(to, job); err != nil || problem != "" {
			return problem, err
		}
	}
	return m.left(w)
}

// timed says whether the duration is that of the run, without the wait.
func timed(job client.JobDetail) bool {
	if job.DurationSeconds == nil || job.StartedAt == nil || job.FinishedAt == nil {
		return false
	}
	took := time.Duration(*job.DurationSeconds * float64(time.Second))
	return took > 0 && (job.FinishedAt.Sub(*job.StartedAt)-took).Abs() < time.Millisecond
}

// arrived looks at the destination: its layout, and the tree.
func (m *made) arrived(to Side, job client.JobDetail) (string, error) {
	names, err := entriesOf(to.Here)
	if err != nil {
		return "", err
	}
	if !slices.Equal(names, []string{m.name}) {
		return fmt.Sprintf("the destination holds %q, not only %q", names, m.name), nil
	}
	tree := path.Join(to.Here, m.name)
	digest, err := sample.Digest(tree)
	if err != nil || digest == m.digest {
		return "", err
	}
	contents, err := sample.Contents(tree)
	switch {
	case err != nil:
		return "", err
	case contents != m.contents:
		return "the tree that arrived differs from the source", nil
	case !lacking(job):
		return "modes or times of the tree that arrived differ from the source's", nil
	}
	return "", nil
}

// lacking says whether the job told that the destination can't hold all.
func lacking(job client.JobDetail) bool {
	var decision struct{ Lacks []string }
	return event(job, transfer.EventStrategyDecision, &decision) && len(decision.Lacks) > 0
}

// left looks at the source: untouched by a copy, gone by a move.
func (m *made) left(w way) (string, error) {
	if w.Mode == transfer.Move {
		if exists(m.side.Here) {
			return "the source is still there after a move", nil
		}
		return "", nil
	}
	outline, err := sample.Outline(m.side.Here)
	if err == nil && outline != m.outline {
		return "the source was touched by a copy", nil
	}
	return "", err
}

// A run's staging goes after its end is recorded, so who looks as soon as a job has ended may still see it, for a moment.
const staleWithin = 30 * time.Second

// eventually waits until something holds, and says whether it does.
func eventually(holds func() bool) bool {
	deadline := time.Now().Add(staleWithin)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(lookEvery)
	}
	return true
}

// staged are the folders in which a run builds, or has built.
func staged(dir string) (names []string) {
	names, _ = filepath.Glob(filepath.Join(dir, ".ketter-*.partial")) // the pattern is sound
	return names
}
