// Package manifest records what a transfer carries, one line of JSON for each file, folder and symbolic link, so that the
// destination can be proven against it and the source of a move removed by it. It streams: it never holds a tree, and it
// opens no files itself.
package manifest

import (
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// Record is one name of the tree as it was at the source.
type Record struct {
	Path   string // relative, beginning with the source's base name; any bytes
	Type   endpoint.Type
	Size   int64 // of a file
	Mode   uint32
	ModAt  time.Time
	Hashed bool   // Digest counts
	Digest uint64 // xxh64 of a file's bytes as they were first read
	Target string // of a symbolic link; any bytes
	Inode  uint64 // at the source
}

// Of makes the record of what info says about path.
func Of(path string, info endpoint.Info) Record {
	return Record{Path: path, Type: info.Type, Size: info.Size, Mode: info.Mode, ModAt: info.ModAt,
		Inode: info.Inode}
}

// Unchanged reports whether info is still what was recorded. Folders change as their contents are removed: for them only
// their identity counts.
func (r Record) Unchanged(info endpoint.Info) bool {
	same := r.Type == info.Type && r.Inode == info.Inode
	if r.Type == endpoint.Folder {
		return same
	}
	return same && r.Size == info.Size && r.ModAt.Equal(info.ModAt)
}

// End closes a manifest. Without it, a manifest is cut short.
type End struct {
	Files   int64 `json:"files"` // and symbolic links
	Folders int64 `json:"folders"`
	Bytes   int64 `json:"bytes"`
	// What was staged, as it is about to be published.
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}
