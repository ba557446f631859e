package engine

import (
	"fmt"
	"math"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// possible fails what can't end well whatever the room: a move whose source can't be emptied, links where there are none.
func (r *run) possible() error {
	if r.spec.Mode == transfer.Move && r.plan.Unremovable != "" {
		return failure.New(failure.SourcePermissionDenied, r.plan.Unremovable,
			"The source can't be removed, so it can't be moved: no permission to empty "+r.plan.Unremovable)
	}
	if r.plan.Symlinks > 0 && !r.holds.Symlinks {
		f := failure.New(failure.UnsupportedFileType, r.spec.Source, fmt.Sprintf(
			"The destination can't hold symbolic links, and the source has %d: %s", r.plan.Symlinks, r.spec.Source))
		f.Hint = "Remove the links from the source, or choose a destination on another file system."
		return f
	}
	return nil
}

// preflight refuses a destination that is too small for what is left to do, less the files and bytes that an earlier run
// has brought. It asks for the least that is needed; what file systems add to that they tell as they fill up.
func (r *run) preflight(files, bytes int64) error {
	need := endpoint.Space{Bytes: uint64(max(0, r.plan.Bytes-bytes)),
		Inodes: uint64(max(0, r.plan.Files+r.plan.Folders-files))}
	if r.builder.method() == transfer.Archive {
		need.Bytes += archiveSize(r) - uint64(bytes)
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
