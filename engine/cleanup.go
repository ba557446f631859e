package engine

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// CleanUp removes what a job keeps in the destination so that it can be resumed: the staging and manifest of its runs,
// except of one that is still alive. The caller does it after its final commit; doing it again is fine.
func (e *Engine) CleanUp(ctx context.Context, spec transfer.Spec) error {
	return e.sweepJob(ctx, spec, func(staging.Leaving) bool { return true })
}

// Discard is CleanUp for a job that failed or was cancelled, and that no other run follows by itself: what a run has left
// that published stays, since by its manifest a later run removes the rest of a move's source.
func (e *Engine) Discard(ctx context.Context, spec transfer.Spec) error {
	return e.sweepJob(ctx, spec, func(l staging.Leaving) bool { return !l.Published() })
}

func (e *Engine) sweepJob(ctx context.Context, spec transfer.Spec, which func(staging.Leaving) bool) error {
	if err := validate(spec); err != nil {
		return err
	}
	if err := e.sweepDestination(ctx, spec, which); err != nil || e.tmpDir == "" {
		return err
	}
	return e.sweepTmp(ctx, spec.Run)
}

func (e *Engine) sweepDestination(ctx context.Context, spec transfer.Spec, which func(staging.Leaving) bool) error {
	place, err := e.roots.Locate(spec.Destination)
	if err != nil {
		return failure.AtDestination("find", spec.Destination, err)
	}
	defer place.Dir.Close()
	if len(place.Missing) > 0 {
		return nil
	}
	s := site{spec: spec, place: place}
	place.Dir = e.decorate.destination(place.Dir)
	if err := s.look(); err != nil {
		return err
	}
	for _, l := range s.leavings {
		if which(l) {
			err = errors.Join(err, staging.RemoveDead(ctx, place.Dir, l.Name))
		}
	}
	return failure.AtDestination("sweep", spec.Destination, err)
}

func (e *Engine) sweepTmp(ctx context.Context, job transfer.Run) error {
	dir, err := local.Open(e.tmpDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failure.AtDestination("open", e.tmpDir, err)
	}
	defer dir.Close()
	return removeDead(ctx, dir, job)
}

// removeDead removes what earlier runs of the job left in dir.
func removeDead(ctx context.Context, dir endpoint.Dir, job transfer.Run) error {
	names, err := staging.OfJob(dir, job)
	for _, name := range names {
		err = errors.Join(err, staging.RemoveDead(ctx, dir, name))
	}
	return failure.AtDestination("sweep", dir.Path(), err)
}
