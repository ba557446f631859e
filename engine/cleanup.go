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

// Left says why something of a job may be in the destination still after a sweep.
type Left string

// What may be left. The zero value is nothing.
const (
	LeftOfPublish Left = "published" // by its manifest a later run removes the rest of a move's source
	LeftAlive     Left = "alive"     // the run that has it open lives, stopped or cut off
	LeftUnseen    Left = "unseen"    // the destination isn't there: it may not be mounted
)

// CleanUp removes what a job keeps in the destination so that it can be resumed: the staging and manifest of its runs,
// except of one that is still alive. The caller does it after its final commit; doing it again is fine.
func (e *Engine) CleanUp(ctx context.Context, spec transfer.Spec) error {
	_, err := e.Sweep(ctx, spec, true)
	return err
}

// Discard is CleanUp for a job that failed or was cancelled, and that no other run follows by itself: what a run has left
// that published stays.
func (e *Engine) Discard(ctx context.Context, spec transfer.Spec) error {
	_, err := e.Sweep(ctx, spec, false)
	return err
}

// Sweep is CleanUp for a job that succeeded, else Discard, and says what is left.
func (e *Engine) Sweep(ctx context.Context, spec transfer.Spec, succeeded bool) (Left, error) {
	if err := validate(spec); err != nil {
		return "", err
	}
	sides, err := e.open(ctx, transfer.Spec{DestinationPortal: spec.DestinationPortal})
	if err != nil {
		return "", err
	}
	defer sides.close()
	left, err := e.sweepDestination(ctx, sides, spec, succeeded)
	if err != nil || e.tmpDir == "" {
		return left, err
	}
	return left, e.sweepTmp(ctx, spec.Run)
}

func (e *Engine) sweepDestination(ctx context.Context, sides *sides, spec transfer.Spec, succeeded bool) (left Left, err error) {
	place, err := sides.destination.Locate(spec.Destination)
	if err != nil {
		return "", failure.AtDestination("find", spec.Destination, err)
	}
	defer place.Dir.Close()
	if len(place.Missing) > 0 {
		return LeftUnseen, nil
	}
	s := site{spec: spec, sides: sides, place: place}
	place.Dir = e.decorate.destination(place.Dir)
	if err := s.look(); err != nil {
		return "", err
	}
	for _, l := range s.leavings {
		if !succeeded && l.Published() {
			left = LeftOfPublish
			continue
		}
		removed := staging.RemoveDead(ctx, place.Dir, l.Name)
		if errors.Is(removed, staging.ErrAlive) {
			left, removed = LeftAlive, nil
		}
		err = errors.Join(err, removed)
	}
	return left, failure.AtDestination("sweep", spec.Destination, err)
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

// removeDead removes what earlier runs of the job left in dir, except of one that is alive.
func removeDead(ctx context.Context, dir endpoint.Dir, job transfer.Run) error {
	names, err := staging.OfJob(dir, job)
	for _, name := range names {
		if removed := staging.RemoveDead(ctx, dir, name); !errors.Is(removed, staging.ErrAlive) {
			err = errors.Join(err, removed)
		}
	}
	return failure.AtDestination("sweep", dir.Path(), err)
}
