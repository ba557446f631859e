package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// resume goes on from a publish of an earlier run, which may have ended at any moment after it.
func (r *run) resume(ctx context.Context, s *site) (transfer.Result, error) {
	r.published = true
	r.parallel = r.engine.inFlight(r.destination)
	intent := *s.published
	r.end = manifest.End{Files: intent.Files, Bytes: intent.Bytes}
	result := transfer.Result{Method: intent.Method, Files: intent.Files, Bytes: intent.Bytes}
	if s.by != nil {
		if err := r.stillThere(ctx, s.by); err != nil {
			return transfer.Result{}, err
		}
	}
	if err := r.finishPublish(ctx, intent, s.by); err != nil {
		return transfer.Result{}, err
	}
	if r.spec.Mode != transfer.Move || r.source == nil {
		return result, nil
	}
	if intent.Method == transfer.Rename {
		return result, r.unlinkRenamed(intent)
	}
	if s.by == nil {
		return result, failure.New(failure.SourceNotRemoved, r.spec.Source, "The destination is complete, but the "+
			"manifest of the run that published it is gone, so nothing of the source can be removed: "+r.spec.Source)
	}
	if err := r.stillInPlace(); err != nil { // the proof may have taken long
		return result, err
	}
	return result, r.removeSource(ctx, func() (io.ReadCloser, error) {
		return staging.Manifest(r.destination, s.by.Name)
	})
}

// stillThere proves once more that the final name is what the earlier run published: since then anybody may have altered it,
// or put something else in its place, which may even have got its inode number.
func (r *run) stillThere(ctx context.Context, by *staging.Leaving) error {
	err := r.prove(ctx, r.destination, func() (io.ReadCloser, error) { return staging.Manifest(r.destination, by.Name) })
	if failure.CodeOf(err) != failure.VerifyMismatch {
		return err
	}
	was := failure.From(err)
	if r.spec.Mode == transfer.Copy {
		f := failure.New(failure.DestinationExists, was.Path, "An earlier run of this job published "+r.spec.FinalPath()+
			", and it has changed since: "+was.Path)
		f.Err = err
		return f
	}
	f := failure.New(failure.SourceNotRemoved, was.Path, "An earlier run of this job published "+r.spec.FinalPath()+
		", and it is not complete any more; the rest of the source stays: "+was.Path)
	f.Hint = "Find out what happened to " + r.spec.FinalPath() + ". What is gone from the source may be nowhere else."
	f.Err = err
	return f
}

// unlinkRenamed ends a rename that was done in steps and cut short: the file has both names still.
func (r *run) unlinkRenamed(intent transfer.Intent) error {
	info := r.source.Info
	if info.Type != endpoint.File || info.Inode == 0 || info.Inode != intent.Inode || info.Device != intent.Device {
		return nil // something else by now
	}
	if err := r.source.Parent.Remove(r.source.Name); err != nil {
		return failure.AtSource("remove", r.spec.Source, err)
	}
	return failure.AtSource("sync", r.spec.Source, r.source.Parent.Sync())
}

// finishPublish does again what may have been left undone: the top folder's mode and time, and making it durable.
func (r *run) finishPublish(ctx context.Context, intent transfer.Intent, by *staging.Leaving) error {
	if by != nil {
		if err := r.finishTop(by.Summary.Last); err != nil {
			return err
		}
	}
	if err := r.destination.Sync(); err != nil {
		return failure.AtDestination("sync", r.spec.Destination, err)
	}
	return r.watch.event(ctx, transfer.EventPublished,
		fmt.Sprintf("An earlier run of this job had published %s (%s) already.", intent.Path, intent.Method),
		publishedFigures(intent))
}
