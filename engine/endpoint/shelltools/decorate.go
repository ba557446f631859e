package shelltools

import (
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/remote"
)

// limits are those of every ability: a call is a program on the far host, and holds what it carries in memory there or here.
var limits = endpoint.BulkLimits{Items: 1000, Bytes: 16 << 20, Calls: 4}

// Decorate returns dir with the abilities that tools give, and its folders likewise. realPath is where dir is on the far
// host, absolute and without symbolic links, as a program sees it that starter starts there. Without any tool, or where
// realPath is none, it is dir itself.
func Decorate(dir endpoint.Dir, realPath string, starter remote.Starter, tools Tools) endpoint.Dir {
	if !strings.HasPrefix(realPath, "/") || strings.IndexByte(realPath, 0) >= 0 {
		return dir
	}
	return decorate(dir, realPath, &host{starter: starter, tools: tools})
}

// host is what all decorated folders of one Decorate share.
type host struct {
	starter remote.Starter
	tools   Tools

	trying   sync.Mutex // guards the rest: whether unzip was tried
	tried    bool
	refusing error
}

// folder is a decorated Dir, and what the abilities work on.
type folder struct {
	endpoint.Dir
	path string
	host *host
}

func decorate(dir endpoint.Dir, path string, host *host) endpoint.Dir {
	f := &folder{Dir: dir, path: path, host: host}
	type tarred struct {
		*folder
		tarWriter
		tarReader
	}
	type zipped struct {
		*folder
		zipWriter
	}
	switch t := host.tools; {
	case t.Tar != "" && t.XXH64Sum:
		return struct {
			tarred
			digester
		}{tarred{f, tarWriter{f}, tarReader{f}}, digester{f}}
	case t.Tar != "":
		return tarred{f, tarWriter{f}, tarReader{f}}
	case t.Unzip && t.XXH64Sum:
		return struct {
			zipped
			digester
		}{zipped{f, zipWriter{f}}, digester{f}}
	case t.Unzip:
		return zipped{f, zipWriter{f}}
	case t.XXH64Sum:
		return struct {
			*folder
			digester
		}{f, digester{f}}
	}
	return dir
}

// Unwrap returns what is decorated.
func (f *folder) Unwrap() endpoint.Dir { return f.Dir }

// OpenDir opens a folder, which has the same abilities.
func (f *folder) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := f.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return decorate(dir, strings.TrimSuffix(f.path, "/")+"/"+name, f.host), nil
}

// ListInfo passes on the ability of what is decorated; without it, names are asked for one by one.
func (f *folder) ListInfo(fn func(name string, info endpoint.Info) error) error {
	if lister, ok := f.Dir.(endpoint.InfoLister); ok {
		return lister.ListInfo(fn)
	}
	return f.List(func(entry endpoint.Entry) error {
		info, err := f.Lstat(entry.Name)
		if isMissing(err) {
			return nil // by now
		}
		if err != nil {
			return err
		}
		return fn(entry.Name, info)
	})
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
