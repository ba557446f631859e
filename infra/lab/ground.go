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
	name := "ketter_lab-" + rand.Text()[:8]
	l := &lab{Options: o, api: api, source: o.Source.at(name), destination: o.Destination.at(name)}
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
	return errors.Join(err, errorOf(problem), m.remove())
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
		return "", removeAll(to.Here)
	}
	back := l.source.at("back")
	defer func() { err = errors.Join(err, removeAll(back.Here)) }()
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
		f.Hint = fmt.Sprintf("Not all that they made could be removed (%v). See that no job of theirs runs, then remove %s and %s by hand", left, l.source, l.destination)
		if l.portal != "" {
			f.Hint += ", and `ketter portals rm " + l.portal + "`"
		}
		f.Hint += "."
	}
	return f
}

// close removes all that was made, whether or not ctx has ended, unless it is to be kept.
func (l *lab) close(ctx context.Context) error {
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
	if l.destination.Here != "" {
		errs = append(errs, removeAll(l.destination.Here))
	} else {
		errs = append(errs, l.closeFar(ctx))
	}
	errs = append(errs, removeAll(l.source.Here))
	if errors.Join(errs...) == nil {
		l.say("Removed: %s and %s.", l.source, l.destination)
	}
	return errors.Join(errs...)
}

// closeFar moves the labs' folder back from where this host doesn't see it. It may never have been made.
func (l *lab) closeFar(ctx context.Context) error {
	job, err := l.moveBack(ctx, l.destination, l.source.at("back"))
	if err != nil || job.Status == transfer.Success || codeOf(job) == failure.SourceNotFound {
		return err
	}
	return failure.New(failure.SourceNotRemoved, "", fmt.Sprintf("%s could not be moved back and is still there: %s", l.destination, ended(job)))
}

func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.Progress, format+"\n", args...) }
