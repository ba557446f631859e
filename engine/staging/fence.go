package staging

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// renameAgain is Rename, also after one that was cut short between its steps: what it took the new name with is empty. Over a
// network such a one may even come to its end meanwhile, which is as if there had been nothing to rename.
func renameAgain(from endpoint.Dir, name string, to endpoint.Dir) error {
	var err error
	for range 3 {
		if err = from.Rename(name, to, name); !errors.Is(err, fs.ErrExist) {
			return err
		}
		_ = free(to, name) // what isn't empty stays, and is told by the next rename
	}
	return err
}

// free removes a name that nothing but a rename may have taken, to begin with: an empty folder, or an empty file where the
// storage has no hard links.
func free(in endpoint.Dir, name string) error {
	info, err := in.Lstat(name)
	if err != nil {
		return err
	}
	empty, err := isEmpty(in, name, info)
	switch {
	case err != nil:
		return err
	case !empty:
		return fs.ErrExist
	case info.Type == endpoint.Folder:
		return in.RemoveDir(name)
	}
	return in.Remove(name)
}

// isEmpty looks: what the other side's rmdir does to a folder that isn't empty is its affair.
func isEmpty(in endpoint.Dir, name string, info endpoint.Info) (bool, error) {
	if info.Type != endpoint.Folder {
		return info.Type == endpoint.File && info.Size == 0, nil
	}
	return tree.IsEmpty(in, name)
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
	err = fenceOff(data, base, fenced)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i.above != nil {
		return nil // it was fenced before, and what it had built may have been taken from it since
	}
	summary, err := summarise(i.dir)
	if err != nil {
		return err
	}
	_, before, err := fencedHolds(fenced, base, summary)
	switch {
	case err != nil || before:
		return err
	case summary.End != nil:
		return ErrPublished
	}
	return nil // it had not begun
}

// fenceOff takes a name out of a data folder.
func fenceOff(data endpoint.Dir, name string, fenced endpoint.Dir) error {
	err := renameAgain(data, name, fenced)
	if errors.Is(err, fs.ErrExist) {
		err = aside(data, name, fenced)
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
