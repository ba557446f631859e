package engine

import (
	"fmt"
	"math"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// preflight fails what can't end well before the first byte: a move whose source can't be emptied, and a destination that
// is too small. It asks for the least that is needed; what file systems add to that they tell as they fill up.
func (r *run) preflight() error {
	if r.spec.Mode == transfer.Move && r.plan.Unremovable != "" {
		return failure.New(failure.SourcePermissionDenied, r.plan.Unremovable,
			"The source can't be removed, so it can't be moved: no permission to empty "+r.plan.Unremovable)
	}
	need := endpoint.Space{Bytes: uint64(r.plan.Bytes), Inodes: uint64(r.plan.Files + r.plan.Folders)}
	if r.builder.method() == transfer.Archive {
		need.Bytes += archiveSize(r)
	}
	return enough(r.destination, need)
}

// archiveSize is about what the archive takes: the files' bytes, and for each name its two headers.
func archiveSize(r *run) uint64 {
	const perName = 200
	return uint64(r.plan.Bytes) + perName*uint64(r.plan.Files+r.plan.Folders)
}

func enough(dir endpoint.Dir, need endpoint.Space) error {
	free, err := dir.Space()
	if err != nil {
		return failure.AtDestination("ask for free space", dir.Path(), err)
	}
	switch {
	case free.Bytes < need.Bytes:
		return failure.New(failure.DestinationFull, dir.Path(), fmt.Sprintf(
			"Not enough space in %s: %d bytes are needed, %d are free, %d are missing",
			dir.Path(), need.Bytes, free.Bytes, need.Bytes-free.Bytes))
	case free.Inodes != math.MaxUint64 && free.Inodes < need.Inodes:
		return failure.New(failure.DestinationFull, dir.Path(), fmt.Sprintf(
			"Not enough inodes in %s: %d are needed, %d are free, %d are missing",
			dir.Path(), need.Inodes, free.Inodes, need.Inodes-free.Inodes))
	}
	return nil
}
