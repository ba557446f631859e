// Package endpoint is how the engine sees storage: folders that are opened once and then walked name by name, so that no
// path is ever resolved twice and nothing swapped in between can lead out of the tree. Implementations live in packages
// below this one and say what they can hold in Capabilities; the engine asks for a value there and never for a type.
//
// Errors are plain errno errors (io/fs.ErrNotExist and friends match); which failure code they mean depends on the side
// they happen at, so the caller decides.
package endpoint

import (
	"io"
	"time"
)

// Type is what a name stands for.
type Type uint8

// The types. Other is everything that can't be transferred: sockets, FIFOs and devices.
const (
	File Type = iota
	Folder
	Symlink
	Other
)

// Info is what is known of a name without following it.
type Info struct {
	Type      Type
	Size      int64  // bytes of a regular file
	Allocated int64  // bytes of storage it takes; less than Size where it has holes, or is compressed
	Mode      uint32 // permission bits with setuid, setgid and sticky, as in stat(2)
	ModAt     time.Time
	Device    uint64
	Inode     uint64
	Links     uint64
	Owner     uint32
	Group     uint32
}

// Xattr is an extended attribute, of the kinds that a transfer keeps: those of users, and access control lists.
type Xattr struct {
	Name  string
	Value []byte
}

// Entry is a name in a folder. Type is Unknown-free: an implementation that gets no type from its listing asks for it.
type Entry struct {
	Name string
	Type Type
	Info *Info // what the listing told besides; nil where that is nothing
}

// Capabilities says what an endpoint can hold and do. What it can't is told in an event before the first byte.
type Capabilities struct {
	Symlinks    bool
	HardLinks   bool
	Xattrs      bool          // those of users
	ACLs        bool          // access control lists
	Modes       bool          // permission bits, file by file
	Holes       bool          // a stretch that was never written takes no space
	ModTimeStep time.Duration // the granularity of modification times
	SyncWhole   bool          // SyncAll makes everything written so far durable at once; else each file is synced
	Locks       bool          // TryLock tells whether a run is alive, for all who may run one there

	Far      bool // every question crosses a network: ask many things at once
	InFlight int  // how many files are best worked on at once, where it is Far; 0 where that is the caller's affair

	// Realm says within which numbers Info's Device and Inode mean one file: two of different realms are never compared.
	// Empty where there are no such numbers (SFTP).
	Realm string
	// Epoch changes whenever what was written and not synced may have been lost: when the machine starts anew. Empty where
	// that can't be told.
	Epoch string
}

// Lacks says what an endpoint of c can't hold of what comes from one of from, in the words of an event.
func (c Capabilities) Lacks(from Capabilities) []string {
	lacks := []string{}
	for _, l := range []struct {
		what     string
		from, to bool
	}{
		{"permission bits", from.Modes, c.Modes}, {"hard links", from.HardLinks, c.HardLinks},
		{"extended attributes", from.Xattrs, c.Xattrs}, {"access control lists", from.ACLs, c.ACLs}, {"holes of sparse files", from.Holes, c.Holes},
	} {
		if l.from && !l.to {
			lacks = append(lacks, l.what)
		}
	}
	if c.ModTimeStep > from.ModTimeStep {
		lacks = append(lacks, "modification times finer than "+c.ModTimeStep.String())
	}
	return lacks
}

// OneRealm reports whether the numbers of two folders mean the same.
func OneRealm(a, b Dir) bool {
	realm := a.Capabilities().Realm
	return realm != "" && realm == b.Capabilities().Realm
}

// Is reports whether two infos, of one realm, are of one file.
func (i Info) Is(other Info) bool { return i.Device == other.Device && i.Inode == other.Inode }

// Space is what is free to this process.
type Space struct {
	Bytes  uint64
	Inodes uint64 // math.MaxUint64 where the file system has no such limit
}

// Dir is an open folder. Every name is a single component: an implementation refuses "", ".", ".." and anything with a
// slash or NUL. Nothing follows a symbolic link. A Dir is safe for use by several goroutines.
type Dir interface {
	io.Closer

	// Path is where the folder was opened, for messages only.
	Path() string
	Capabilities() Capabilities
	Info() (Info, error)

	// List calls fn for every name, in no particular order, without holding them all in memory. fn may open, make and
	// remove names, but not List the same Dir.
	List(fn func(Entry) error) error
	Lstat(name string) (Info, error)
	Readlink(name string) (string, error)
	OpenDir(name string) (Dir, error)
	Open(name string) (Reader, error)
	// Xattrs returns the folder's own attributes, in no particular order; none where there can't be any.
	Xattrs() ([]Xattr, error)

	// Create makes a file that must not exist, with the permissions of mode that the process's umask lets through. Whatever
	// they are, the Writer writes.
	Create(name string, mode uint32) (Writer, error)
	// Reopen opens a file that was made and not finished, to go on with it.
	Reopen(name string) (Writer, error)
	// Mkdir makes a folder that must not exist, with the permissions of mode that the process's umask lets through.
	Mkdir(name string, mode uint32) error
	Symlink(target, name string) error
	// Link makes newName in another folder of the same endpoint a second name of the file called name.
	Link(name string, to Dir, newName string) error
	// Rename moves a name into another folder of the same endpoint. It never replaces: an existing newName is EEXIST.
	Rename(name string, to Dir, newName string) error
	// Publish is Rename, and reports whether the storage needed several steps, of which none
	// replaces anything but what the one before has made.
	Publish(name string, to Dir, newName string) (inSteps bool, err error)
	Remove(name string) error
	RemoveDir(name string) error
	// CanRemove reports, without trying, why this process could not remove name from the folder, nil if it could. With
	// mayChange it may make the folder writable first.
	CanRemove(name string, mayChange bool) error
	// CanMake reports, without trying, why this process could not make a name in the folder: nil if it could, or where that
	// can't be told.
	CanMake() error
	// CanRead is CanMake for reading the file called name.
	CanRead(name string) error
	// SetMode sets the permission bits of a file or folder; a symbolic link is refused.
	SetMode(name string, mode uint32) error
	// SetModTime sets the modification time of a name, of a symbolic link itself too.
	SetModTime(name string, t time.Time) error
	// SetXattrs adds to the folder's own attributes.
	SetXattrs(attributes []Xattr) error

	// Sync makes the folder's own entries durable.
	Sync() error
	// SyncAll makes everything durable that was written so far to the file system the folder is on.
	SyncAll() error
	Space() (Space, error)
	// TryLock keeps other processes' TryLock of the folder from succeeding until the Dir is closed or the process dies.
	// A folder that is locked is EWOULDBLOCK; an endpoint that has no locks is errors.ErrUnsupported.
	TryLock() error
}

// Wrapper is a Dir or Reader that decorates another one.
type Wrapper[T any] interface{ Unwrap() T }

// Unwrap returns what is below all decorators of v. An endpoint that is handed another of its own Dirs or Readers (to
// rename into, to copy from) uses it to find out.
func Unwrap[T any](v T) T {
	for {
		w, ok := any(v).(Wrapper[T])
		if !ok {
			return v
		}
		v = w.Unwrap()
	}
}

// Reader is an open regular file.
type Reader interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Info() (Info, error)
	Xattrs() ([]Xattr, error)
	// NextData returns the first stretch at or after offset that is not a hole: from start to end, both size where nothing
	// but a hole is left. An endpoint that knows no holes takes the rest for data. It may move where Read goes on.
	NextData(offset, size int64) (start, end int64, err error)
	// DropCache asks the system to forget cached pages, so that the next read comes from the storage. Best effort.
	DropCache() error
}

// Writer is a file being made. WriteAt may be used by several goroutines at once, where they don't overlap.
type Writer interface {
	io.Writer
	io.WriterAt
	io.Closer
	// CopyFrom lets the storage itself copy up to limit bytes of src, from offset from, to the Writer's offset at, sharing
	// blocks where it can. At src's end it returns 0, nil; where the pair can't do it, errors.ErrUnsupported with nothing
	// written.
	CopyFrom(at int64, src Reader, from, limit int64) (int64, error)
	// Clone makes the file share all blocks of src, at once; errors.ErrUnsupported, with nothing written, where it can't.
	Clone(src Reader) error
	// Preallocate reserves storage for a file of size bytes, so that a full one is found at once and the file lies in one
	// piece. It doesn't change the file's size. errors.ErrUnsupported where it can't.
	Preallocate(size int64) error
	// Truncate sets the file's size; what it grows by is a hole.
	Truncate(size int64) error
	SetMode(mode uint32) error
	SetModTime(t time.Time) error
	SetXattrs(attributes []Xattr) error
	Sync() error
}
