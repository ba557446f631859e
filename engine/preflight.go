package engine

import (
	"fmt"
	"math"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// preflight fails what can't end well before the first byte: a move whose source can't be emptied, and a destination that
// is too small. It asks for the least that any file system needs, so that it never refuses what would fit: that a file takes
// whole blocks, say, is not so where small files live in their inodes. What one adds to that it tells as it fills up.
func (r *run) preflight() error {
	if r.spec.Mode == transfer.Move && r.plan.Unremovable != "" {
		return failure.New(failure.SourcePermissionDenied, r.plan.Unremovable,
			"The source can't be removed, so it can't be moved: no permission to remove "+r.plan.Unremovable)
	}
	const ours = 3 // the staging folder, the one in it, and the manifest
	need := endpoint.Space{Bytes: uint64(r.plan.Bytes), Inodes: uint64(r.plan.Files+r.plan.Folders) + ours}
	if r.builder.method() == transfer.Archive {
		need.Bytes += archiveSize(r)
		need.Inodes++
	}
	return enough(r.destination, need)
}

// archiveSize is the least that the archive takes: the files' bytes, and for each name its two headers with their times
// (30 + 46 + 2 × 9 bytes) and twice the name.
func archiveSize(r *run) uint64 {
	const perName = 96
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
