package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/manifest"
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

// renameAgain is Rename, also after one that was cut short between its steps: what it took the new name with is empty. Over a
// network such a one may even come to its end meanwhile, which is as if there had been nothing to rename.
func renameAgain(from endpoint.Dir, name string, to endpoint.Dir) error {
	var err error
	for range 3 {
		if err = from.Rename(name, to, name); !errors.Is(err, fs.ErrExist) {
			return err
		}
		if to.RemoveDir(name) != nil {
			break
		}
	}
	if _, gone := from.Lstat(name); errors.Is(gone, fs.ErrNotExist) {
		return gone
	}
	return err
}

// fence takes from a run what it would publish: a rename that either comes before its own, or makes that fail.
func (i *Inherited) fence(base string) error {
	fenced, err := makeDir(i.dir, fencedName)
	if err != nil {
		return err
	}
	defer fenced.Close()
	data, err := i.dir.OpenDir(dataName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it had not begun
	}
	if err != nil {
		return err
	}
	defer data.Close()
	err = renameAgain(data, base, fenced)
	if errors.Is(err, fs.ErrExist) {
		err = aside(data, base, fenced)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i.above != nil {
		return nil // it was fenced before, and what it had built may have been taken from it since
	}
	if _, err := fenced.Lstat(base); err == nil {
		return nil
	}
	summary, err := summarise(i.dir)
	if err == nil && summary.End != nil {
		return ErrPublished
	}
	return err
}

// aside takes away what a run that was fenced, and didn't know, has begun once more: over a network names are made by their
// paths. Nobody has recorded it, so nobody looks for it.
func aside(data endpoint.Dir, base string, fenced endpoint.Dir) (err error) {
	const most = 1000
	for i := range most {
		if err = data.Rename(base, fenced, fmt.Sprintf("again.%d", i)); !errors.Is(err, fs.ErrExist) {
			return err
		}
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
		if dir.RemoveDir(name) == nil {
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

// Leaving is the staging that an earlier run left, as far as it can be seen without touching it.
type Leaving struct {
	Name    string
	Summary manifest.Summary
	Holds   bool // what it is to publish is still in it
	held    endpoint.Info
}

// Published reports whether the run that left it has published.
func (l Leaving) Published() bool { return l.Summary.End != nil && !l.Holds }

// PublishedAs reports whether it has, and info is of what it published: also a file that is still in the staging, since a
// publish in steps gives it a second name first.
func (l Leaving) PublishedAs(info endpoint.Info) bool {
	if l.Summary.End == nil {
		return false
	}
	if l.Summary.End.Inode == 0 || info.Inode == 0 { // no numbers: whoever goes on proves it by the manifest
		return !l.Holds
	}
	if l.Summary.End.Inode != info.Inode {
		return false
	}
	return !l.Holds || info.Type == endpoint.File && l.held.Inode == info.Inode && l.held.Device == info.Device
}

// Look reads what the run that left the staging folder called name, which builds base, has done.
func Look(parent endpoint.Dir, name, base string) (Leaving, error) {
	l := Leaving{Name: name}
	dir, err := parent.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer dir.Close()
	if l.Summary, err = summarise(dir); err != nil {
		return l, err
	}
	for _, place := range []string{dataName, fencedName} {
		held, holds, err := holds(dir, place, base)
		if err != nil {
			return l, err
		}
		if holds {
			l.Holds, l.held = true, held
		}
	}
	return l, nil
}

func holds(dir endpoint.Dir, place, base string) (endpoint.Info, bool, error) {
	data, err := orNil(dir.OpenDir(place))
	if data == nil || err != nil {
		return endpoint.Info{}, false, err
	}
	defer data.Close()
	info, err := data.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint.Info{}, false, nil
	}
	return info, err == nil, err
}

func summarise(dir endpoint.Dir) (manifest.Summary, error) {
	file, err := orNil(dir.Open(manifestName))
	if file == nil || err != nil {
		return manifest.Summary{}, err
	}
	defer file.Close()
	return manifest.Summarise(file)
}

// Manifest opens the manifest in the staging folder called name, of whichever run.
func Manifest(parent endpoint.Dir, name string) (endpoint.Reader, error) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Open(manifestName)
}

// RemoveDead removes the staging folder called name, unless its run is alive: ErrAlive.
func RemoveDead(ctx context.Context, parent endpoint.Dir, name string) error {
	dir, err := parent.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer dir.Close()
		err = dir.TryLock()
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrAlive
	}
	if dir != nil {
		if err := unsay(dir); err != nil {
			return err
		}
	}
	return tree.RemoveAll(ctx, parent, name) // also one that can't be opened or locked
}

// unsay is how the removal of a staging begins: without its manifest it can't be taken for that of a run which has
// published, and what was to be published can't be any more, while its folders are being emptied.
func unsay(dir endpoint.Dir) error {
	if err := dir.Remove(manifestName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := orNil(dir.OpenDir(dataName))
	if data == nil || err != nil {
		return err
	}
	defer data.Close()
	fenced, err := makeDir(dir, fencedName)
	if err != nil {
		return err
	}
	defer fenced.Close()
	var names []string
	err = data.List(func(e endpoint.Entry) error { names = append(names, e.Name); return nil })
	for _, name := range names {
		if moved := data.Rename(name, fenced, name); !errors.Is(moved, fs.ErrNotExist) && !errors.Is(moved, fs.ErrExist) {
			err = errors.Join(err, moved)
		}
	}
	return err
}
