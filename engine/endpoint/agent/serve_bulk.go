package agent

import (
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	makers    = 8  // of files at once in a WriteAll: they mostly wait for a sync
	readers   = 4  // of files at once in a ReadAll
	digesters = 2  // of files at once in a Digests
	maxOpen   = 64 // folders that a bulk request keeps open
	batchSize = 512 << 10
	maxWhole  = maxData
)

// folders are those that a bulk request has to do with, each opened once.
type folders struct {
	root endpoint.Dir
	made bool // those that don't exist are made
	open map[string]endpoint.Dir
	idle func() // waits until nobody uses one
}

// split cuts a path into its folder and its last name.
func split(path string) (folder, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// holding opens the folder that a path's last name is in.
func (f *folders) holding(path string) (dir endpoint.Dir, name string, err error) {
	for part := range strings.SplitSeq(path, "/") {
		if err := checkName(part); err != nil {
			return nil, "", err
		}
	}
	folder, name := split(path)
	dir, err = f.get(folder)
	return dir, name, err
}

// get opens a folder by its path; fewer names of it have to be walked where one above is open.
func (f *folders) get(path string) (endpoint.Dir, error) {
	if path == "" {
		return f.root, nil
	}
	if dir := f.open[path]; dir != nil {
		return dir, nil
	}
	if len(f.open) >= maxOpen {
		f.close()
	}
	at, rest := f.root, path
	for above, _ := split(path); above != ""; above, _ = split(above) {
		if dir := f.open[above]; dir != nil {
			at, rest = dir, path[len(above)+1:]
			break
		}
	}
	dir, err := f.walk(at, rest)
	if err == nil {
		f.open[path] = dir
	}
	return dir, err
}

func (f *folders) walk(at endpoint.Dir, names string) (endpoint.Dir, error) {
	found, done := at, func() {}
	for names != "" {
		var name string
		name, names, _ = strings.Cut(names, "/")
		next, err := f.enter(found, name)
		done()
		if err != nil {
			return nil, err
		}
		found, done = next, func() { next.Close() }
	}
	return found, nil
}

func (f *folders) enter(dir endpoint.Dir, name string) (endpoint.Dir, error) {
	next, err := dir.OpenDir(name)
	if err != syscall.ENOENT || !f.made {
		return next, err
	}
	if err := dir.Mkdir(name, 0o700); err != nil && err != syscall.EEXIST { // another call may make it, too
		return nil, err
	}
	return dir.OpenDir(name)
}

func (f *folders) close() {
	f.idle()
	for _, dir := range f.open {
		dir.Close()
	}
	f.open = map[string]endpoint.Dir{}
}

func (e *encoder) item(i *endpoint.Item) {
	e.text(i.Path)
	e.num(uint64(i.Type))
	e.num(uint64(len(i.Data)))
	e.text(i.Target)
	e.num(uint64(i.Mode))
	e.flag(i.SetMode)
	e.time(i.ModAt)
	e.xattrs(i.Xattrs)
}

// item takes its data from what is left of the frame's.
func (d *decoder) item(data *[]byte) endpoint.Item {
	i := endpoint.Item{Path: d.text(), Type: endpoint.Type(d.size(int(endpoint.Other)))}
	n := d.size(len(*data))
	i.Data, *data = (*data)[:n], (*data)[n:]
	i.Target, i.Mode, i.SetMode, i.ModAt, i.Xattrs = d.text(), uint32(d.num()), d.flag(), d.time(), d.xattrs()
	return i
}
