package staging

import (
	"errors"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
)

// Parents are folders that a run made for its destination, one below the other.
type Parents struct {
	dirs  []endpoint.Dir // the one that was there, then those below
	names []string       // of those below
	made  []bool         // false for one that another run made first
}

// MakeParents makes the folders called names below dir, each in the one before. When one can't be made, those before it
// are removed again. It takes over dir.
func MakeParents(dir endpoint.Dir, names []string) (*Parents, error) {
	p := &Parents{dirs: []endpoint.Dir{dir}}
	for _, name := range names {
		if err := p.add(name); err != nil {
			p.Remove()
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *Parents) add(name string) error {
	last := p.Last()
	err := last.Mkdir(name, 0o777)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	p.names, p.made = append(p.names, name), append(p.made, err == nil)
	made, err := last.OpenDir(name)
	if err != nil {
		return errors.Join(err, p.removeLast())
	}
	p.dirs = append(p.dirs, made)
	return nil
}

// Last is the innermost folder: the destination.
func (p *Parents) Last() endpoint.Dir { return p.dirs[len(p.dirs)-1] }

// Sync makes the folders' names durable.
func (p *Parents) Sync() error {
	for _, dir := range p.dirs {
		if err := dir.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the folders that were made, as far as nobody has put anything into them.
func (p *Parents) Remove() {
	for len(p.names) > 0 && p.removeLast() == nil {
	}
}

func (p *Parents) removeLast() error {
	last := len(p.names) - 1
	name, made := p.names[last], p.made[last]
	p.names, p.made = p.names[:last], p.made[:last]
	if !made {
		return fs.ErrExist
	}
	return p.dirs[last].RemoveDir(name)
}

// Close closes the folders and leaves them where they are.
func (p *Parents) Close() {
	for _, dir := range p.dirs {
		dir.Close()
	}
}
