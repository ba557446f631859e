package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Links makes the names of one file at the source names of one file here. It keeps a name of its own for each file that
// has several, in a folder of the staging, so that it holds none of them in memory. The nil Links makes none: each name
// becomes a file of its own. It may be used by several goroutines.
type Links struct {
	open func() (endpoint.Dir, error) // makes and opens the folder when it is first asked
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the first name is made, or failed
}

// Do gives the file of record its name in to: the first name is made by make, which records it, the others are links to
// that one. It reports whether make was called.
func (l *Links) Do(record manifest.Record, to endpoint.Dir, name string, make func() error) (made bool, err error) {
	if l == nil || !record.Linked {
		return true, make()
	}
	path := to.Path() + "/" + name
	dir, err := l.open()
	if err != nil {
		return false, failure.AtDestination("make folder for links", path, err)
	}
	key := linkName(record)
	defer l.alone(key)()
	err = dir.Link(key, to, name)
	if err == nil {
		return false, l.unchanged(record, to, name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, failure.AtDestination("link", path, err)
	}
	if err := make(); err != nil {
		return true, err
	}
	return true, failure.AtDestination("link", path, to.Link(name, dir, key))
}

// unchanged makes sure that name, linked to what the first name of a file was made of, is as record says: the file may have
// been written to since.
func (l *Links) unchanged(record manifest.Record, to endpoint.Dir, name string) error {
	path := to.Path() + "/" + name
	info, err := to.Lstat(name)
	if err != nil {
		return failure.AtDestination("stat", path, err)
	}
	if info.Size != record.Size || info.ModAt.Sub(record.ModAt).Abs() >= max(to.Capabilities().ModTimeStep, 1) {
		return tree.Changed(record.Path, "it was written to under another of its names", nil)
	}
	return nil
}

// Keep makes name, of an earlier run, the one that further names of the file of record are linked to. It reports false
// when there is another one already.
func (l *Links) Keep(record manifest.Record, in endpoint.Dir, name string) (bool, error) {
	if l == nil || !record.Linked {
		return true, nil
	}
	dir, err := l.open()
	if err != nil {
		return false, err
	}
	key := linkName(record)
	defer l.alone(key)()
	err = in.Link(name, dir, key)
	if errors.Is(err, fs.ErrExist) {
		return l.Same(record, in, name)
	}
	return err == nil, err
}

// Same reports whether name is the file that the names of record are linked to.
func (l *Links) Same(record manifest.Record, in endpoint.Dir, name string) (bool, error) {
	if l == nil {
		return false, nil
	}
	dir, err := l.open()
	if err != nil {
		return false, err
	}
	kept, err := dir.Lstat(linkName(record))
	if err != nil {
		return false, err
	}
	info, err := in.Lstat(name)
	return err == nil && info.Inode == kept.Inode && info.Device == kept.Device, err
}

// alone waits until nobody else makes the first name of a file, and returns what lets the next one.
func (l *Links) alone(key string) (done func()) {
	for {
		l.mu.Lock()
		other, taken := l.busy[key]
		if !taken {
			mine := make(chan struct{})
			l.busy[key] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.busy, key)
				l.mu.Unlock()
				close(mine)
			}
		}
		l.mu.Unlock()
		<-other
	}
}

func linkName(r manifest.Record) string { return fmt.Sprintf("%d-%d", r.Device, r.Inode) }
