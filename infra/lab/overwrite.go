package lab

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// runOverwrite repeats jobs, and sends to where something is already.
func (l *lab) runOverwrite(ctx context.Context) error {
	m, err := l.make(ctx, dataset{"overwrite", "src_again", sample.Of(20, 1<<10)})
	if err != nil {
		return err
	}
	for _, w := range copies {
		if err := l.repeated(ctx, m, w); err != nil {
			return err
		}
	}
	file := &made{dataset: dataset{"overwrite", path.Base(firstFile), sample.Of(1, 1<<10)}, side: m.side.at(firstFile)}
	if file.outline, err = sample.Outline(file.side.Here); err != nil {
		return err
	}
	for _, one := range []struct {
		m     *made
		w     way
		title string
	}{
		{m, copies[0], "a copy of a folder"}, {m, moves[1], "a move of a folder"}, {file, copies[0], "a copy of a file"}, {file, moves[0], "a move of a file"},
	} {
		if err := l.thereBefore(ctx, one.m, one.w, one.title); err != nil {
			return err
		}
	}
	return m.remove()
}

// repeated runs the same job twice: the second fails and touches nothing.
func (l *lab) repeated(ctx context.Context, m *made, w way) error {
	to := l.destination.at("dst_again_" + string(w.Strategy))
	job, err := l.run(ctx, order(m.side, to, w), l.JobTimeout)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the same copy by %s again fails, and both stand in the history", w.Strategy)
	problem := ended(job)
	if job.Status == transfer.Success {
		problem, err = l.inHistory(ctx, job.ID, client.ListJobsHistoryParams{Status: new(transfer.Success), Strategy: &w.Strategy})
	}
	if err != nil || problem != "" {
		l.expect("overwrite", what, problem)
		return err
	}
	if err := l.safe(ctx, m, w, to, what); err != nil {
		return err
	}
	return removeAll(to.Here)
}

// thereBefore sends to a name that is taken before the first job.
func (l *lab) thereBefore(ctx context.Context, m *made, w way, title string) error {
	to := l.destination.at("dst_there")
	content := []byte("It was here before.\n")
	dir, name := to.Here, m.name
	if m.name != path.Base(firstFile) {
		dir, name = path.Join(to.Here, m.name), "already here.txt"
	}
	if err := writeFile(dir, name, content); err != nil {
		return err
	}
	what := title + " to a name that is taken fails, and nothing is touched"
	return errors.Join(l.safe(ctx, m, w, to, what), removeAll(to.Here))
}

// safe is the safe mode: code, message, and everything as it was.
func (l *lab) safe(ctx context.Context, m *made, w way, to Side, what string) error {
	eventually(func() bool { return len(staged(to.Here)) == 0 })
	before, err := sample.Digest(to.Here)
	if err != nil {
		return err
	}
	o, final := order(m.side, to, w), path.Join(to.Path, m.name)
	return l.refused(ctx, "overwrite", what, o, failure.DestinationExists, func(job client.JobDetail) string {
		eventually(func() bool { return len(staged(to.Here)) == 0 })
		if after, err := sample.Digest(to.Here); err != nil || after != before {
			return fmt.Sprintf("the destination was touched (%v)", err)
		}
		if outline, err := sample.Outline(m.side.Here); err != nil || outline != m.outline {
			return fmt.Sprintf("the source was touched (%v)", err)
		}
		if want := "Destination already exists: " + final; job.Error.Message != want {
			return fmt.Sprintf("job %d says %q, not %q", job.ID, job.Error.Message, want)
		}
		return ""
	})
}
