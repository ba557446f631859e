package staging

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/manifest"
)

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
	for _, place := range []struct {
		name  string
		holds func(in endpoint.Dir, base string, summary manifest.Summary) (endpoint.Info, bool, error)
	}{{dataName, dataHolds}, {fencedName, fencedHolds}} {
		in, err := orNil(dir.OpenDir(place.name))
		if err != nil {
			return l, err
		}
		if in == nil {
			continue
		}
		held, holds, err := place.holds(in, base, l.Summary)
		in.Close()
		if err != nil {
			return l, err
		}
		if holds {
			l.Holds, l.held = true, held
		}
	}
	return l, nil
}

func dataHolds(data endpoint.Dir, base string, _ manifest.Summary) (endpoint.Info, bool, error) {
	info, err := data.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint.Info{}, false, nil
	}
	return info, err == nil, err
}

// fencedHolds is dataHolds for what was fenced. What a complete run had built is empty there only if its source is; else a
// rename that was cut short took the name, and what it meant is elsewhere.
func fencedHolds(fenced endpoint.Dir, base string, summary manifest.Summary) (endpoint.Info, bool, error) {
	info, holds, err := dataHolds(fenced, base, summary)
	end := summary.End
	if !holds || err != nil || end == nil || end.Bytes == 0 && end.Files+end.Folders <= 1 {
		return info, holds, err
	}
	empty, err := isEmpty(fenced, base, info)
	return info, !empty && err == nil, err
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
		if moved := fenceOff(data, name, fenced); !errors.Is(moved, fs.ErrNotExist) {
			err = errors.Join(err, moved)
		}
	}
	return err
}
