package staging

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// ErrAlive is the error of an earlier run that still holds its staging, where that may not be taken from it.
var ErrAlive = errors.New("staging: its run is alive")

// ErrPublished is the error of an earlier run that turns out to have published.
var ErrPublished = errors.New("staging: its run has published")

// Inherited is the staging of an earlier run, taken into that of the present one. From then on that run, should it still
// be there, can neither publish nor reach anything that the present one publishes: what it has open are folders that
// stay here.
type Inherited struct {
	dir   endpoint.Dir
	was   endpoint.Dir // dir where it was found, with the lock; nil where dir has followed the rename
	dead  bool         // its lock is ours
	above *Inherited   // the run that had inherited it before, nil if none
}

// Inherit takes over the staging folder called name, of an earlier run that builds base, and those which that run had
// inherited itself. mayLive says that the run may be alive: what keeps two runs of a job apart is then somebody else's to
// know. One that is gone meanwhile is no error.
func (s *Staging) Inherit(name, base string, mayLive bool) ([]*Inherited, error) {
	return s.inherit(s.parent, name, base, mayLive, nil)
}

func (s *Staging) inherit(from endpoint.Dir, name, base string, mayLive bool, above *Inherited) ([]*Inherited, error) {
	dir, err := from.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i := &Inherited{dir: dir, above: above}
	err = s.take(i, from, name, base, mayLive)
	if err != nil {
		i.Close()
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // swept by its own run
		}
		return nil, err
	}
	below, err := s.inheritBelow(i, base, mayLive)
	return append([]*Inherited{i}, below...), err
}

func (s *Staging) take(i *Inherited, from endpoint.Dir, name, base string, mayLive bool) error {
	locked := i.dir.TryLock()
	i.dead = locked == nil && i.dir.Capabilities().Locks
	if errors.Is(locked, unix.EWOULDBLOCK) && !mayLive {
		return ErrAlive
	}
	if err := i.fence(base); err != nil {
		return err
	}
	mine, err := makeDir(s.dir, inheritedName)
	if err != nil {
		return err
	}
	defer mine.Close()
	if err := renameAgain(from, name, mine); err != nil || !i.dir.Capabilities().Far {
		return err
	}
	return i.follow(mine, name)
}

// follow opens the folder where it is now: another host's is known by its path alone.
func (i *Inherited) follow(to endpoint.Dir, name string) error {
	dir, err := to.OpenDir(name)
	if err == nil {
		i.was, i.dir = i.dir, dir
	}
	return err
}

// inheritBelow takes those that i had inherited, out of it. An empty one is what a rename that was cut short had taken the
// name with: the run itself is elsewhere.
func (s *Staging) inheritBelow(i *Inherited, base string, mayLive bool) ([]*Inherited, error) {
	dir, err := i.dir.OpenDir(inheritedName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var names []string
	if err := dir.List(func(e endpoint.Entry) error { names = append(names, e.Name); return nil }); err != nil {
		return nil, err
	}
	var all []*Inherited
	for _, name := range names {
		if free(dir, name) == nil {
			continue
		}
		below, err := s.inherit(dir, name, base, mayLive, i)
		all = append(all, below...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Dead reports whether the run has ended for sure, so that a file it had not finished may be continued in place.
func (i *Inherited) Dead() bool { return i.dead }

// OpenManifest opens the run's manifest, nil if it has none.
func (i *Inherited) OpenManifest() (endpoint.Reader, error) { return orNil(i.dir.Open(manifestName)) }

// OpenArchive opens the run's archive, nil if it has none.
func (i *Inherited) OpenArchive() (endpoint.Reader, error) { return orNil(i.dir.Open(ArchiveName)) }

// Trees opens the folders below which a name that the run recorded may be, at its path.
func (i *Inherited) Trees() ([]endpoint.Dir, error) {
	var all []endpoint.Dir
	for _, place := range []struct {
		in   *Inherited
		name string
	}{{i, fencedName}, {i, keptName}, {i.above, keptName}} {
		if place.in == nil {
			continue
		}
		dir, err := orNil(place.in.dir.OpenDir(place.name))
		if err != nil {
			return all, err
		}
		if dir != nil {
			all = append(all, dir)
		}
	}
	return all, nil
}

// Close lets go of the folder and its lock.
func (i *Inherited) Close() {
	i.dir.Close()
	if i.was != nil {
		i.was.Close()
	}
}

// DropInherited removes what was inherited and is of no use any more. That a run which is still alive keeps some of it
// is no error: it goes with the rest of the staging.
func (s *Staging) DropInherited(ctx context.Context) error {
	err := tree.RemoveAll(ctx, s.dir, inheritedName)
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return err
}

func orNil[T any](opened T, err error) (T, error) {
	var none T
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	return opened, err
}
