package engine

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// CleanUp removes what a job keeps in the destination so that it can be resumed: the staging and manifest of its runs,
// except of one that is still alive. The caller does it after its final commit; doing it again is fine.
func (e *Engine) CleanUp(ctx context.Context, spec transfer.Spec) error {
	if err := validate(spec); err != nil {
		return err
	}
	if err := e.cleanDestination(ctx, spec); err != nil || e.tmpDir == "" {
		return err
	}
	return e.cleanTmp(ctx, spec.Run)
}

func (e *Engine) cleanDestination(ctx context.Context, spec transfer.Spec) error {
	place, err := e.roots.Locate(spec.Destination)
	if err != nil {
		return failure.AtDestination("find", spec.Destination, err)
	}
	defer place.Dir.Close()
	if len(place.Missing) > 0 {
		return nil
	}
	return removeDead(ctx, e.decorate.destination(place.Dir), spec.Run)
}

func (e *Engine) cleanTmp(ctx context.Context, job transfer.Run) error {
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
