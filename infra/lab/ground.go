package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/sample"
)

// lab is a run: its two folders, and what it has found so far.
type lab struct {
	*Options
	api                 *client.Client
	source, destination Side // the labs' own folders
	portal              string
	runs                int
	atLarge             []string // jobs that could not be cancelled, and may still be at work
	report              Report
}

const (
	tinyWithin  = 2 * time.Minute // the job of one small file that goes first
	clearWithin = 10 * time.Minute
)

// open makes the labs' folders, one at each side, and proves with a tiny job that the worker sees them as this host does.
func open(ctx context.Context, api *client.Client, o *Options) (*lab, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	name := prefix + rand.Text()[:8]
	l := &lab{Options: o, api: api, source: o.Source.at(name), destination: o.Destination.at(name)}
	l.tellLeft(ctx)
	for _, side := range []Side{l.source, l.destination} {
		if side.Here == "" {
			continue
		}
		if err := os.Mkdir(side.Here, 0o755); err != nil && !(errors.Is(err, fs.ErrExist) && l.source.Here == l.destination.Here) {
			return l, &failure.Error{Code: failure.InvalidRequest, Message: fmt.Sprintf("The labs' folder can't be made: %v", err), Err: err,
				Hint: "Name folders that are there and that you may write to."}
		}
	}
	return l, l.tryTiny(ctx)
}

// tryTiny finds out whether worker and labs mean the same by the same path, before anything large is made.
func (l *lab) tryTiny(ctx context.Context) error {
	m, err := l.make(ctx, dataset{"", "src_tiny", sample.Of(1, 1<<10)})
	if err != nil {
		return err
	}
	to := l.destination.at("dst_tiny")
	job, err := l.run(ctx, order(m.side, to, copies[0]), tinyWithin)
	if err == nil {
		err = understood(m, to, job)
	}
	if failure.CodeOf(err) == failure.Cancelled && ctx.Err() == nil {
		return &failure.Error{Code: failure.JobState, Err: err, Message: fmt.Sprintf("No worker finished a job of one small file within %v", tinyWithin),
			Hint: "Is a worker running, and free (`ketter dku`)? Labs need one that serves the queue of these folders."}
	}
	if err != nil {
		return err
	}
	problem, err := l.clear(ctx, m, to)
	return errors.Join(err, errorOf(problem), l.remove(m.side))
}

// understood says of the tiny job what the worker has made of the paths.
func understood(m *made, to Side, job client.JobDetail) error {
	switch {
	case codeOf(job) == failure.SourceNotFound:
		return elsewhere(fmt.Sprintf("The worker doesn't find %s, which was just made here", m.side))
	case job.Error != nil:
		return &failure.Error{Code: job.Error.Code, Message: "A job of one small file failed: " + job.Error.Message, Hint: job.Error.Hint}
	case job.Status != transfer.Success:
		return failure.New(failure.JobState, "", "A job of one small file didn't succeed: "+ended(job))
	case to.Here != "" && !exists(path.Join(to.Here, m.name)):
		return elsewhere(fmt.Sprintf("The worker has copied into %s, and it isn't there as seen from here", to))
	}
	return nil
}

func errorOf(problem string) error {
	if problem == "" {
		return nil
	}
	return failure.New(failure.VerifyMismatch, "", "A job of one small file: "+problem)
}

func elsewhere(message string) error {
	return &failure.Error{Code: failure.InvalidRequest, Message: message,
		Hint: "The labs must run on the worker's host, or in its container: with the same mounts, under the same paths."}
}

// clear removes what a run has brought, and says what of it isn't as it was. What this host doesn't see is moved back first,
// which proves it on the way.
func (l *lab) clear(ctx context.Context, m *made, to Side) (problem string, err error) {
	if to.Here != "" {
		return "", l.remove(to)
	}
	back := l.source.at("back")
	defer func() { err = errors.Join(err, l.remove(back)) }()
	job, err := l.moveBack(ctx, to, back)
	if err != nil || job.Status != transfer.Success {
		return "moving it back: " + ended(job), err
	}
	contents, err := sample.Contents(path.Join(back.Here, path.Base(to.Path), m.name))
	if err == nil && contents != m.contents {
		problem = "what was moved back differs from the source"
	}
	return problem, err
}

// moveBack tries again where the run before was still removing its staging from the folder.
func (l *lab) moveBack(ctx context.Context, from, back Side) (job client.JobDetail, err error) {
	const tries = 5
	for range tries {
		job, err = l.run(ctx, order(from, back, way{transfer.Move, transfer.Auto}), l.JobTimeout)
		if err != nil || codeOf(job) != failure.SourceChanged {
			break
		}
	}
	return job, err
}

// remove removes a folder unless a job that nobody could end may still read or write it.
func (l *lab) remove(side Side) error {
	if len(l.atLarge) > 0 {
		return nil
	}
	return removeAll(side.Here)
}

// removeAll tries again where a run that has just ended is still removing its staging.
func removeAll(dir string) (err error) {
	eventually(func() bool {
		err = os.RemoveAll(dir)
		return err == nil || errors.Is(err, fs.ErrPermission)
	})
	if err == nil {
		return nil
	}
	return &failure.Error{Code: failure.DestinationPermissionDenied, Err: err, Message: fmt.Sprintf("What a job has brought can't be removed: %v", err),
		Hint: "Run the labs as the user that runs the worker, then remove this folder by hand."}
}

// end removes all that was made, and says of an interruption whether anything is left.
func (l *lab) end(ctx context.Context, err error) error {
	left := l.close(ctx)
	if ctx.Err() == nil && left == nil {
		return err
	}
	f := &failure.Error{Code: failure.CodeOf(err), Message: "The labs ended early", Err: errors.Join(err, left), Hint: "What they made is removed, unless --keep was given."}
	if ctx.Err() != nil {
		f.Code, f.Message = failure.Cancelled, "The labs were interrupted"
	}
	if why := failure.From(err); why != nil && why.Code != failure.Cancelled {
		f.Message += ": " + why.Sentence()
	}
	if left != nil {
		f.Code = cmp.Or(f.Code, failure.CodeOf(left))
		f.Hint = l.whatIsLeft(left)
	}
	return f
}

// whatIsLeft says what to do about it.
func (l *lab) whatIsLeft(left error) string {
	hint := fmt.Sprintf("Not all that they made could be removed (%v). See that no job of theirs runs, then remove", left)
	if len(l.atLarge) > 0 {
		hint = fmt.Sprintf("Nothing was removed, for this may still be at work there: %s. When it has ended, remove", strings.Join(l.atLarge, "; "))
	}
	hint += fmt.Sprintf(" %s and %s by hand", l.source, l.destination)
	if l.portal != "" {
		hint += ", and `ketter portals rm " + l.portal + "`"
	}
	return hint + "."
}

// close removes all that was made, whether or not ctx has ended, unless it is to be kept, or a job may still be at work in it.
func (l *lab) close(ctx context.Context) error {
	if len(l.atLarge) > 0 {
		return failure.New(failure.JobState, "", "Not cancelled: "+strings.Join(l.atLarge, "; "))
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), clearWithin)
	defer done()
	var errs []error
	if l.portal != "" {
		errs = append(errs, l.api.DeletePortal(ctx, l.portal))
	}
	if l.Keep {
		l.say("Kept: %s and %s.", l.source, l.destination)
		return errors.Join(errs...)
	}
	errs = append(errs, l.removeFolders(ctx))
	if errors.Join(errs...) == nil {
		l.say("Removed: %s and %s.", l.source, l.destination)
	}
	return errors.Join(errs...)
}

func (l *lab) removeFolders(ctx context.Context) error {
	if l.destination.Here == "" {
		if err := l.closeFar(ctx); err != nil || len(l.atLarge) > 0 {
			return err // what could not be moved back may still be on its way to the source
		}
		return l.remove(l.source)
	}
	return errors.Join(l.remove(l.destination), l.remove(l.source))
}

// closeFar moves the labs' folder back from where this host doesn't see it. It may never have been made.
func (l *lab) closeFar(ctx context.Context) error {
	job, err := l.moveBack(ctx, l.destination, l.source.at("back"))
	if err != nil || job.Status == transfer.Success || codeOf(job) == failure.SourceNotFound {
		return err
	}
	return failure.New(failure.SourceNotRemoved, "", fmt.Sprintf("%s could not be moved back and is still there: %s", l.destination, ended(job)))
}

// say tells who watches; what jobs and the API have said may be in it.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintln(l.Progress, l.Redactor.Line(fmt.Sprintf(format, args...)))
}
