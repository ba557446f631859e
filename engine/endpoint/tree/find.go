package tree

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
)

// Finder opens the folders of relative paths below a root. It keeps those of the last path open, so that paths in the
// order of a walk cost one open per folder. It is for one goroutine.
type Finder struct {
	root   endpoint.Dir
	strip  string // what paths begin with, above root
	make   bool   // folders that don't exist
	folder string // the path of the last of dirs
	names  []string
	dirs   []endpoint.Dir
}

// NewFinder makes a Finder below root, which it doesn't close.
func NewFinder(root endpoint.Dir) *Finder { return &Finder{root: root} }

// NewMaker makes a Finder that makes the folders which don't exist, for their owner only.
func NewMaker(root endpoint.Dir) *Finder { return &Finder{root: root, make: true} }

// Finder makes a Finder for paths that begin with r's name.
func (r *Root) Finder() *Finder {
	if r.Parent == nil {
		return &Finder{root: r.Folder, strip: r.Name + "/"}
	}
	return NewFinder(r.Parent)
}

// Find returns the folder that holds path, open until the next call, and the last name of path.
func (f *Finder) Find(path string) (endpoint.Dir, string, error) {
	folder, name := Split(strings.TrimPrefix(path, f.strip))
	if folder == f.folder {
		return f.last(), name, nil
	}
	names := strings.Split(folder, "/")
	if folder == "" {
		names = nil
	}
	same := 0
	for same < len(names) && same < len(f.names) && names[same] == f.names[same] {
		same++
	}
	f.up(same)
	for _, next := range names[same:] {
		dir, err := f.open(next)
		if err != nil {
			return nil, "", err
		}
		f.names, f.dirs = append(f.names, next), append(f.dirs, dir)
		f.folder = strings.Join(f.names, "/")
	}
	return f.last(), name, nil
}

func (f *Finder) open(name string) (endpoint.Dir, error) {
	dir, err := f.last().OpenDir(name)
	if !f.make || !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := f.last().Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return f.last().OpenDir(name)
}

// Above returns the folder above the one that Find returned last, and the latter's name in it; nil at the root.
func (f *Finder) Above() (endpoint.Dir, string) {
	switch n := len(f.dirs); n {
	case 0:
		return nil, ""
	case 1:
		return f.root, f.names[0]
	default:
		return f.dirs[n-2], f.names[n-1]
	}
}

// Close closes what is open.
func (f *Finder) Close() { f.up(0) }

func (f *Finder) last() endpoint.Dir {
	if len(f.dirs) == 0 {
		return f.root
	}
	return f.dirs[len(f.dirs)-1]
}

func (f *Finder) up(depth int) {
	for _, dir := range f.dirs[depth:] {
		dir.Close()
	}
	f.names, f.dirs = f.names[:depth], f.dirs[:depth]
	f.folder = strings.Join(f.names, "/")
}

// Split parts a relative path into its folder, "" for none, and its last name.
func Split(path string) (folder, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// Local reports whether path is relative, stays below where it begins, and names each step: no empty one, no "." and no
// "..", no NUL. A backslash is a byte like any other.
func Local(path string) bool {
	for rest := path; ; {
		step, after, more := strings.Cut(rest, "/")
		if step == "" || step == "." || step == ".." || strings.IndexByte(step, 0) >= 0 {
			return false
		}
		if !more {
			return true
		}
		rest = after
	}
}

// IsEmpty reports whether the folder called name has nothing in it.
func IsEmpty(in endpoint.Dir, name string) (bool, error) {
	dir, err := in.OpenDir(name)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	some := errors.New("it has something")
	err = dir.List(func(endpoint.Entry) error { return some })
	if errors.Is(err, some) {
		return false, nil
	}
	return err == nil, err
}
