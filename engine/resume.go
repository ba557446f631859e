package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// resume goes on from a publish of an earlier run, which may have ended at any moment after it.
func (r *run) resume(ctx context.Context) (transfer.Result, error) {
	r.published = true
	intent := *r.spec.Intent
	r.end = manifest.End{Files: intent.Files, Bytes: intent.Bytes}
	result := transfer.Result{Method: intent.Method, Files: intent.Files, Bytes: intent.Bytes}
	left, err := r.findManifest(ctx, intent)
	if err != nil {
		return transfer.Result{}, err
	}
	if left == nil && intent.Method != transfer.Rename && r.spec.Mode == transfer.Copy {
		return transfer.Result{}, destinationExists(r.spec) // inode numbers are used again: alone they prove nothing
	}
	if err := r.finishPublish(ctx, intent, left); err != nil {
		return transfer.Result{}, err
	}
	if r.spec.Mode != transfer.Move || intent.Method == transfer.Rename || r.source == nil {
		return result, nil
	}
	if left == nil {
		return result, failure.New(failure.SourceNotRemoved, r.spec.Source, "The destination is complete, but the "+
			"manifest of the run that published it is gone, so nothing of the source can be removed: "+r.spec.Source)
	}
	return result, r.removeSource(ctx, func() (endpoint.Reader, error) {
		return staging.Manifest(r.destination, left.staging)
	})
}

// finishPublish does again what may have been left undone: the top folder's mode and time, and making it durable.
func (r *run) finishPublish(ctx context.Context, intent transfer.Intent, left *leavings) error {
	if intent.Method != transfer.Rename {
		var err error
		switch {
		case left != nil:
			err = r.finishTop(endpoint.Info{Type: left.top.Type, Mode: left.top.Mode, ModAt: left.top.ModAt})
		case r.source != nil && r.spec.Mode == transfer.Copy:
			err = r.finishTop(r.source.Info)
		}
		if err != nil {
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

// refuseTakenAway refuses to begin afresh when an earlier run has published and the result is not there any more. A move
// may have removed a part of its source by then: what is left of it is not the whole, and must not be told as such.
func (r *run) refuseTakenAway(ctx context.Context) error {
	intent := r.spec.Intent
	if intent == nil || intent.Method == transfer.Rename || r.spec.Mode != transfer.Move {
		return nil
	}
	left, err := r.findManifest(ctx, *intent)
	if left == nil || err != nil {
		return err
	}
	staged, err := staging.Holds(r.destination, left.staging, r.name())
	if err != nil {
		return failure.AtDestination("look into staging", r.spec.Destination, err)
	}
	if staged {
		return nil // it never came to the publish
	}
	f := failure.New(failure.SourceNotRemoved, r.spec.Source, "An earlier run of this job published "+intent.Path+
		", and someone has taken it away since; the rest of the source stays: "+r.spec.Source)
	f.Hint = "Find out where " + intent.Path + " went. If it is complete there, remove the rest of the source by hand."
	return f
}

// leavings are what the run that published left.
type leavings struct {
	staging string          // the name of its staging folder, with the whole manifest
	top     manifest.Record // of the source's top
}

// findManifest finds the manifest of what intent says was published, nil if it is gone.
func (r *run) findManifest(ctx context.Context, intent transfer.Intent) (*leavings, error) {
	names, err := staging.OfJob(r.destination, r.spec.Run)
	if err != nil {
		return nil, failure.AtDestination("list", r.spec.Destination, err)
	}
	for _, name := range names {
		found := &leavings{staging: name}
		end, err := r.readThrough(ctx, found)
		if err != nil {
			return nil, err
		}
		if end.Device == intent.Device && end.Inode == intent.Inode {
			return found, nil
		}
	}
	return nil, nil
}

// readThrough reads a manifest to its end, which is empty when there is none.
func (r *run) readThrough(ctx context.Context, l *leavings) (manifest.End, error) {
	file, err := staging.Manifest(r.destination, l.staging)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest.End{}, nil
	}
	if err != nil {
		return manifest.End{}, failure.AtDestination("open manifest", r.spec.Destination, err)
	}
	defer file.Close()
	records := manifest.NewReader(file)
	for {
		if err := ctx.Err(); err != nil {
			return manifest.End{}, err
		}
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			return records.End(), nil
		}
		if err != nil {
			return manifest.End{}, nil // cut short or damaged: not that of a publish
		}
		if record.Path == r.name() {
			l.top = record
		}
	}
}

// name is the source's base name, and so the final one.
func (r *run) name() string { return path.Base(r.spec.Source) }
