package endpoint

import (
	"context"
	"fmt"
	"time"
)

// What follows are abilities that a Dir may have beyond its interface, for storages where every question costs a round
// trip. They answer for many names at once, and are used where a type assertion finds them; nothing depends on them, and
// whatever decorates a Dir hides them.

// InfoLister lists names together with what is known of each, for about the price of a List.
type InfoLister interface {
	// ListInfo calls fn for every name, in no particular order, as List does.
	ListInfo(fn func(name string, info Info) error) error
}

// BulkLimits is how much one call of a bulk ability is best given, at most.
type BulkLimits struct {
	Items int
	Bytes int64 // of files in one call, and of any single one
	Calls int   // under way at once
}

// BulkWriter makes many small things at once.
type BulkWriter interface {
	WriteLimits() BulkLimits
	// WriteAll makes all items below the Dir, in their order. Folders on an item's way that don't exist are made, for their
	// owner only. Files and symbolic links never replace anything (EEXIST), and no symbolic link is followed (ELOOP,
	// ENOTDIR). With sync each file is durable when it returns, and each Folder item's own entries. It may be called by
	// several goroutines, with items that don't depend on one another. An error is a BulkError; what was made by then stays.
	WriteAll(ctx context.Context, items []Item, sync bool) error
}

// Item is something for WriteAll to make.
type Item struct {
	Path   string // relative to the Dir, clean, any bytes
	Type   Type   // File, Symlink, or Folder: one that is complete, made if it doesn't exist, and gets its attributes
	Data   []byte // of a File: all of it
	Target string // of a Symlink

	Mode    uint32
	SetMode bool      // of a File or Folder; else it has what the umask leaves of Mode, for the owner to read and write
	ModAt   time.Time // the zero Time leaves that of a Folder as it is
	Xattrs  []Xattr   // none for a Symlink
}

// BulkReader reads many small files at once.
type BulkReader interface {
	ReadLimits() BulkLimits
	// ReadAll reads the regular files called paths, relative to the Dir, no symbolic link on the way or at the end followed,
	// and calls fn for each, in their order, from one goroutine. It may be called by several goroutines. An error of fn ends
	// it; one of a file is that file's. bytes is about how many they have together, 0 where that isn't known; xattrs says
	// whether attributes are wanted.
	ReadAll(ctx context.Context, paths []string, bytes int64, xattrs bool, fn func(i int, file Whole) error) error
}

// Whole is a file that was read at one go, between two looks at it.
type Whole struct {
	Before, After Info    // After is not set where TooLarge
	Data          []byte  // only until fn returns
	TooLarge      bool    // for ReadLimits().Bytes, or no regular file: nothing was read
	Xattrs        []Xattr // if asked for
	Err           error
}

// Digester sums up files where they lie.
type Digester interface {
	DigestLimits() BulkLimits
	// Digests reads the regular files called paths, relative to the Dir, anew, from the storage where the system lets it,
	// and returns one Digest for each, in their order. No symbolic link is followed.
	Digests(ctx context.Context, paths []string) ([]Digest, error)
}

// Digest is what a file has, as it was read.
type Digest struct {
	Size  int64  // bytes
	XXH64 uint64 // with seed 0
	Err   error  // of this file
}

// Settler is a Writer that doesn't wait for what it is given to write. Nobody may tell of that as written before Settle.
type Settler interface {
	// Settle returns once all that was written before has reached the storage's system, as after a local write(2).
	Settle() error
}

// BulkError tells which item a bulk call failed at.
type BulkError struct {
	Index int
	Op    string // "create", "write", "make folder", "make link", "set attributes", "set mode", "set time", "sync", "close"
	Err   error
}

func (e *BulkError) Error() string { return fmt.Sprintf("%s item %d: %v", e.Op, e.Index, e.Err) }

// Unwrap returns the cause: an errno.
func (e *BulkError) Unwrap() error { return e.Err }
