package zipfirst

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// folder is a folder being packed.
type folder struct {
	dir    endpoint.Dir
	done   endpoint.Dir // what an earlier run made of it; nil for nothing
	record manifest.Record
	names  []endpoint.Entry // to be packed next
	busy   sync.WaitGroup   // a batch each
	found  atomic.Int64     // names in done that the source has too
}

func (f *folder) below(name string) string {
	if f.record.Path == "" {
		return name
	}
	return f.record.Path + "/" + name
}

func (p *packer) Enter(parent *folder, name string, dir endpoint.Dir, info endpoint.Info) (_ *folder, err error) {
	f := &folder{dir: dir, done: p.options.Done, record: manifest.Of(name, info)}
	if parent != nil {
		f.done, f.record.Path = parent.done, parent.below(name)
	}
	if err = p.checkLength(f.record.Path); err == nil {
		err = f.openDone(parent, name)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return f, nil
}

// openDone goes one folder down in what an earlier run made.
func (f *folder) openDone(parent *folder, name string) error {
	above := f.done
	if f.done = nil; above == nil {
		return nil
	}
	done, err := above.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failure.AtDestination("open what an earlier run made", tree.Join(above.Path(), name), err)
	}
	f.done = done
	if parent != nil {
		parent.found.Add(1)
	}
	return nil
}

func (p *packer) Entry(f *folder, entry endpoint.Entry) error {
	f.names = append(f.names, entry)
	if len(f.names) < batchSize {
		return nil
	}
	return p.deal(f)
}

// deal lets somebody pack the names that have come together.
func (p *packer) deal(f *folder) error {
	names := f.names
	f.names = nil
	if len(names) == 0 {
		return nil
	}
	f.busy.Add(1)
	do := func() error {
		defer f.busy.Done()
		return p.pack(f, names)
	}
	if p.group.TryGo(do) {
		return nil
	}
	return do()
}

// Leave waits for what others still pack of the folder: only then can it be said that it hasn't changed.
func (p *packer) Leave(f *folder) error {
	defer f.close()
	err := p.deal(f)
	f.busy.Wait()
	if err == nil {
		err = p.ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := p.checkDone(f); err != nil {
		return err
	}
	if p.options.Keep.Xattrs {
		if f.record.Xattrs, err = f.dir.Xattrs(); err != nil {
			return failure.AtSource("read attributes", f.dir.Path(), err)
		}
	}
	if err := tree.Unchanged(f.dir, f.record.ModAt); err != nil {
		return err
	}
	if err := p.folder(&f.record); err != nil {
		return err
	}
	return p.add(f.record, 0)
}

// folder packs the entry of a folder, which has nothing but a header.
func (p *packer) folder(record *manifest.Record) error {
	at := p.reserve(func(at int64) int64 { return headerLength(record, at) })
	record.Packed = &manifest.Packed{Offset: at}
	return p.write(appendLocal(nil, record, at, false), at)
}

// isDone reports whether an earlier run made name.
func (f *folder) isDone(name string) (bool, error) {
	if f.done == nil {
		return false, nil
	}
	_, err := f.done.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, failure.AtDestination("look up", tree.Join(f.done.Path(), name), err)
	}
	f.found.Add(1)
	return true, nil
}

// checkDone makes sure that each name of done was found under one name of the source. Two may find the same, where case
// doesn't count; then one of them would be missing and not be missed. One that none found is only told when nothing else is
// wrong: a folder that is found twice leaves such names too.
func (p *packer) checkDone(f *folder) error {
	if f.done == nil {
		return nil
	}
	found := f.found.Load()
	path := f.done.Path()
	if err := f.done.List(func(endpoint.Entry) error { found--; return nil }); err != nil {
		return failure.AtDestination("list", path, err)
	}
	if found > 0 {
		return failure.New(failure.NameConflict, path, "Names that differ at the source are the same here: in "+path)
	}
	if found < 0 {
		p.mu.Lock()
		p.gone = tree.Changed(f.dir.Path(), "names are gone that an earlier run copied", nil)
		p.mu.Unlock()
	}
	return nil
}

func (f *folder) close() {
	f.dir.Close()
	if f.done != nil {
		f.done.Close()
	}
}

var _ tree.Visitor[*folder] = (*packer)(nil)
