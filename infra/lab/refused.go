package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/machine"
	"github.com/ketter/ketter/infra/sample"
)

// refused has a job fail, and looks that it did so with this code, told it in an event, and left things as they were.
func (l *lab) refused(ctx context.Context, lab, what string, o client.Order, code failure.Code, after func(client.JobDetail) string) error {
	job, err := l.run(ctx, o, l.JobTimeout)
	if err != nil {
		return err
	}
	problem := ""
	switch {
	case job.Status != transfer.Failed || codeOf(job) != code:
		problem = fmt.Sprintf("%s, not failed with %s", ended(job), code)
	case !slices.ContainsFunc(job.Events, func(e client.Event) bool { return e.Kind == transfer.EventError }):
		problem = fmt.Sprintf("job %d has no event that tells its failure", job.ID)
	case job.FilesCopied != 0 || job.BytesCopied != 0:
		problem = fmt.Sprintf("job %d failed and counts files", job.ID)
	default:
		problem = after(job)
	}
	if problem == "" {
		problem, err = l.inHistory(ctx, job.ID, client.ListJobsHistoryParams{Status: new(transfer.Failed), Mode: &o.Mode})
	}
	l.expect(lab, what, problem)
	l.say("%s: %s", what, verdictOf(problem))
	return err
}

func verdictOf(problem string) string {
	if problem == "" {
		return string(Passed)
	}
	return "FAILED: " + problem
}

// runErrors are the brief's errors that can be had on these volumes.
func (l *lab) runErrors(ctx context.Context) error {
	m, err := l.make(ctx, dataset{"errors", "src_errors", sample.Of(20, 1<<10)})
	if err != nil {
		return err
	}
	for _, one := range []func(context.Context, *made) error{l.missingSource, l.noPermission, l.readOnly, l.fullAtOnce, l.fullOnTheWay} {
		if err := one(ctx, m); err != nil {
			return err
		}
	}
	return m.remove()
}

// nothingAt looks that a destination was not made and the source is as it was.
func (m *made) nothingAt(to string) func(client.JobDetail) string {
	return func(client.JobDetail) string {
		if !eventually(func() bool { return !exists(to) }) {
			return to + " is there"
		}
		if outline, err := sample.Outline(m.side.Here); err != nil || outline != m.outline {
			return fmt.Sprintf("the source was touched (%v)", err)
		}
		return ""
	}
}

func (l *lab) missingSource(ctx context.Context, m *made) error {
	to := l.destination.at("dst_missing")
	return l.refused(ctx, "errors", "a source that is missing leaves no destination (source_not_found)",
		order(l.source.at("src_that_is_not_there"), to, copies[0]), failure.SourceNotFound, m.nothingAt(to.Here))
}

// noPermission shuts folders by their mode, which doesn't bind root.
func (l *lab) noPermission(ctx context.Context, m *made) error {
	const atSource = "a source without permission to read fails and leaves nothing (source_permission_denied)"
	const atDestination = "a destination without permission to write is left alone (destination_permission_denied)"
	if os.Geteuid() == 0 {
		l.leave("errors", atSource, "modes don't bind root; run worker and labs as an ordinary user")
		l.leave("errors", atDestination, "modes don't bind root; run worker and labs as an ordinary user")
		return nil
	}
	shut, to := l.source.at("src_shut"), l.destination.at("dst_shut")
	defer func() { _ = errors.Join(os.Chmod(shut.Here, 0o755), os.Chmod(to.Here, 0o755)) }() // so that they can be removed
	if err := errors.Join(os.Mkdir(shut.Here, 0), os.Mkdir(to.Here, 0o555)); err != nil {
		return err
	}
	from := l.destination.at("dst_from_shut")
	err := l.refused(ctx, "errors", atSource, order(shut, from, copies[0]), failure.SourcePermissionDenied, m.nothingAt(from.Here))
	if err != nil {
		return err
	}
	return l.refused(ctx, "errors", atDestination, order(m.side, to, copies[0]), failure.DestinationPermissionDenied,
		m.nothingAt(path.Join(to.Here, m.name)))
}

func (l *lab) readOnly(ctx context.Context, m *made) error {
	const what = "a read-only destination is refused (destination_read_only)"
	if l.ReadOnlyRoot == "" {
		l.leave("errors", what, "give a folder that is mounted read-only, below the allowed roots, by --read-only-root")
		return nil
	}
	to := path.Join(l.ReadOnlyRoot, path.Base(l.destination.Here))
	return l.refused(ctx, "errors", what, order(m.side, Side{Path: to}, copies[0]), failure.DestinationReadOnly, m.nothingAt(to))
}

// What a volume may have free to be filled by the labs.
const mostSmallRoot = 1 << 30

// smallRoom is what the small volume has free; why says why it can't be used.
func (l *lab) smallRoom() (free int64, why string) {
	if l.SmallRoot == "" {
		return 0, "give a folder on a small volume, below the allowed roots, by --small-root"
	}
	free, err := machine.Room(l.SmallRoot)
	switch {
	case err != nil:
		return 0, err.Error()
	case free > mostSmallRoot:
		return 0, fmt.Sprintf("%s has %s free; a volume to fill must have %s at most", l.SmallRoot, sample.BytesText(free), sample.BytesText(mostSmallRoot))
	}
	return free, ""
}

func (l *lab) fullAtOnce(ctx context.Context, _ *made) error {
	const what = "what can't fit is refused before the first byte (destination_full)"
	free, why := l.smallRoom()
	if why != "" {
		l.leave("errors", what, why)
		return nil
	}
	return l.fill(ctx, what, dataset{"errors", "src_too_large", sample.Of(1, free+1<<20)})
}

// fullOnTheWay sends files whose bytes fit and whose blocks don't.
func (l *lab) fullOnTheWay(ctx context.Context, _ *made) error {
	const what = "a volume that fills up on the way is left as it was (destination_full)"
	const block, most = 4 << 10, 50_000
	free, why := l.smallRoom()
	if why == "" && free/block > most {
		why = fmt.Sprintf("%s has %s free; give one of %s or less", l.SmallRoot, sample.BytesText(free), sample.BytesText(most*block))
	}
	if why != "" {
		l.leave("errors", what, why)
		return nil
	}
	return l.fill(ctx, what, dataset{"errors", "src_too_many", sample.Of(int(free/block)+500, 1)})
}

func (l *lab) fill(ctx context.Context, what string, d dataset) error {
	m, err := l.make(ctx, d)
	if err != nil {
		return errors.Join(err, m.remove())
	}
	to := path.Join(l.SmallRoot, path.Base(l.destination.Here))
	err = l.refused(ctx, "errors", what, order(m.side, Side{Path: to}, copies[0]), failure.DestinationFull, m.nothingAt(to))
	return errors.Join(err, m.remove(), removeAll(to))
}
