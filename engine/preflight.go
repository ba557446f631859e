package engine

import (
	"fmt"
	"math"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// possible fails what can't end well whatever the room.
func (r *run) possible() error {
	if err := r.removable(); err != nil {
		return err
	}
	return r.holdable()
}

// removable fails a move whose source can't be emptied.
func (r *run) removable() error {
	if r.spec.Mode != transfer.Move || r.plan.Unremovable == "" {
		return nil
	}
	return failure.New(failure.SourcePermissionDenied, r.plan.Unremovable,
		"The source can't be removed, so it can't be moved: no permission to remove "+r.plan.Unremovable)
}

// holdable fails links where there are none.
func (r *run) holdable() error {
	if r.plan.Symlinks > 0 && !r.holds.Symlinks {
		f := failure.New(failure.UnsupportedFileType, r.spec.Source, fmt.Sprintf(
			"The destination can't hold symbolic links, and the source has %d: %s", r.plan.Symlinks, r.spec.Source))
		f.Hint = "Remove the links from the source, or choose a destination on another file system."
		return f
	}
	return nil
}

// preflight refuses a destination that is too small for what is left to do, less the files and bytes that an earlier run
// has brought. It asks for the least that any file system needs, so that it never refuses what would fit: that a file takes
// whole blocks, say, is not so where small files live in their inodes. What one adds to that it tells as it fills up.
func (r *run) preflight(files, bytes int64) error {
	return enough(r.destination, r.needs(files, bytes))
}

func (r *run) needs(files, bytes int64) endpoint.Space {
	const ours = 3 // the staging folder, the one in it, and the manifest
	least, inodes := r.plan.Least, r.plan.Inodes
	if !r.holds.Holes || !r.holds.HardLinks {
		least, inodes = r.plan.Bytes, r.plan.Files+r.plan.Folders
	}
	need := endpoint.Space{Bytes: uint64(max(0, least-bytes)), Inodes: uint64(max(0, inodes-files) + ours)}
	if r.builder.method() == transfer.Archive {
		need.Bytes += uint64(max(0, archiveSize(r)-bytes))
		need.Inodes++
	}
	return need
}

// archiveSize is the least that the archive takes: the files' bytes, and for each name its two headers with their times
// (30 + 46 + 2 × 9 bytes) and twice the name.
func archiveSize(r *run) int64 {
	const perName = 96
	return r.plan.Least + perName*(r.plan.Files+r.plan.Folders)
}

// noParents is why the folders above the final name can't be made, nil if they can.
func (r *run) noParents(err error) error {
	return failure.AtDestination("make folder", r.spec.Destination, err)
}

// noStaging is the same of a staging in dir.
func noStaging(dir endpoint.Dir, err error) error {
	return failure.AtDestination("make staging", dir.Path(), err)
}

func enough(dir endpoint.Dir, need endpoint.Space) error {
	free, err := dir.Space()
	if err != nil {
		return failure.AtDestination("ask for free space", dir.Path(), err)
	}
	switch {
	case free.Bytes < need.Bytes:
		return failure.New(failure.DestinationFull, dir.Path(), fmt.Sprintf(
			"Not enough space in %s: %s needed, %s free, %s missing",
			dir.Path(), bytesText(need.Bytes), bytesText(free.Bytes), bytesText(need.Bytes-free.Bytes)))
	case free.Inodes != math.MaxUint64 && free.Inodes < need.Inodes:
		return failure.New(failure.DestinationFull, dir.Path(), fmt.Sprintf(
			"Not enough inodes (one for each file and folder) in %s: %d needed, %d free, %d missing",
			dir.Path(), need.Inodes, free.Inodes, need.Inodes-free.Inodes))
	}
	return nil
}

// bytesText is a count of bytes for a person, in decimal units as storage vendors count, and to the byte.
func bytesText(n uint64) string {
	exact := fmt.Sprintf("%d bytes", n)
	if n < 1000 {
		return exact
	}
	value, units := float64(n)/1000, "kMGTPE"
	for value >= 999.95 {
		value, units = value/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %cB (%s)", value, units[0], exact)
}
