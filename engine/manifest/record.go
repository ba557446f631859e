// Package manifest records what a transfer carries, one line of JSON for each file, folder and symbolic link, so that the
// destination can be proven against it, the source of a move removed by it, and a run that was cut short continued. It
// streams: it never holds a tree, and it opens no files itself.
package manifest

import (
	"os"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
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
	Linked bool   // it has other names: those with the same Device and Inode are the same file
	Device uint64 // at the source, of a Linked one
	Xattrs []endpoint.Xattr
	Packed *Packed // nil for what isn't in an archive
}

// Packed is where an archive holds a name.
type Packed struct {
	Offset int64  `json:"offset"` // of its local header
	CRC    uint32 `json:"crc32"`
}

// Of makes the record of what info says about path.
func Of(path string, info endpoint.Info) Record {
	r := Record{Path: path, Type: info.Type, Size: info.Size, Mode: modeOf(info), ModAt: info.ModAt, Inode: info.Inode}
	if info.Type == endpoint.File && info.Links > 1 {
		r.Linked, r.Device = true, info.Device
	}
	return r
}

// modeOf is the mode that a copy gets, which belongs to the user and group of this process: a program must not come to run
// with their rights because it ran with somebody else's.
func modeOf(info endpoint.Info) uint32 {
	const setuid, setgid = 0o4000, 0o2000
	mode := info.Mode
	if info.Type == endpoint.File && int(info.Owner) != os.Geteuid() {
		mode &^= setuid
	}
	if info.Type == endpoint.File && int(info.Group) != os.Getegid() {
		mode &^= setgid
	}
	return mode
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

// StillOf makes sure that a file that was read is still what was recorded before; path is for messages.
func (r Record) StillOf(file endpoint.Reader, path string) error {
	after, err := file.Info()
	if err != nil {
		return failure.AtSource("stat", path, err)
	}
	return r.Still(after, path)
}

// Still is StillOf for a file that was looked at already.
func (r Record) Still(after endpoint.Info, path string) error {
	if after.Size != r.Size {
		return tree.Changed(path, "its size changed", nil)
	}
	if !r.Unchanged(after) {
		return tree.Changed(path, "it was written to", nil)
	}
	return nil
}

// SameFile reports whether two records are of the same file in the same state.
func (r Record) SameFile(other Record) bool {
	return r.Type == other.Type && r.Inode == other.Inode && r.Size == other.Size && r.Mode == other.Mode &&
		r.ModAt.Equal(other.ModAt) && r.Linked == other.Linked && r.Device == other.Device
}

// Begin opens a manifest: what its run did, and when what it wrote can be relied upon.
type Begin struct {
	Version  int    `json:"version"`
	Archive  bool   `json:"archive"`          // records tell of an archive's entries
	Stream   bool   `json:"stream,omitempty"` // what is small was packed on the fly
	SyncEach bool   `json:"sync_each"`        // each file was durable before it was recorded
	Epoch    string `json:"epoch"`            // see endpoint.Capabilities
}

// Version is that of manifests that are written now; others are not continued.
const Version = 1

// Partial is how far a large file is: Record.Size bytes of it up to Offset are written.
type Partial struct {
	Record Record
	Offset int64
	State  []byte // of the digest at Offset, as xxhash marshals it; nil when nothing is hashed
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
