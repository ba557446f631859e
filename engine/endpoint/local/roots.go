package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// Roots are the folders below which paths may lie: absolute and clean.
type Roots []string

var _ endpoint.Storage = Roots{}

// Locate opens the folder from the root on name by name, without following links, so that nothing swapped after the
// resolution leads out.
func (r Roots) Locate(path string) (*endpoint.Place, error) {
	real, missing, err := resolve(path)
	if err != nil {
		return nil, err
	}
	root, err := r.holding(path, real)
	if err != nil {
		return nil, err
	}
	folder, err := descend(root, real)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		if _, err := folder.Lstat(missing[0]); err == nil {
			folder.Close()
			return nil, notAllowed(join(real, missing[0]), "it leads nowhere, or changes while it is looked at")
		}
	}
	info, err := folder.Info()
	if err != nil {
		folder.Close()
		return nil, err
	}
	return &endpoint.Place{Dir: folder, Info: info, Path: real, Missing: missing}, nil
}

// resolve splits path into the real path of what exists and the names that don't. Names below a regular file don't exist;
// that they can't is told, with ENOTDIR, once the file is opened as a folder, which comes after the roots were asked.
func resolve(path string) (real string, missing []string, err error) {
	for rest := path; ; rest = filepath.Dir(rest) {
		real, err = filepath.EvalSymlinks(rest)
		if err == nil {
			return real, missing, nil
		}
		var errno syscall.Errno
		if !errors.As(err, &errno) { // too many links, which EvalSymlinks counts itself
			return "", nil, notAllowed(path, "its symbolic links lead in a circle")
		}
		if errno != syscall.ENOENT && errno != syscall.ENOTDIR || rest == "/" {
			return "", nil, err
		}
		missing = append([]string{filepath.Base(rest)}, missing...)
	}
}

// holding returns the real path of the root that real lies in.
func (r Roots) holding(path, real string) (string, error) {
	found := ""
	for _, root := range r {
		realRoot, err := filepath.EvalSymlinks(root)
		if err != nil && within(path, root) {
			return "", fmt.Errorf("allowed root %s: %w", root, err)
		}
		if err == nil && found == "" && within(real, realRoot) {
			found = realRoot
		}
	}
	if found == "" {
		return "", notAllowed(path, "it is outside the allowed roots")
	}
	return found, nil
}

// Below reports whether a root is real, or lies below it.
func (r Roots) Below(real string) bool {
	for _, root := range r {
		if realRoot, err := filepath.EvalSymlinks(root); err == nil && within(realRoot, real) {
			return true
		}
	}
	return false
}

func descend(root, real string) (endpoint.Dir, error) {
	if real == root {
		return Open(root)
	}
	names := strings.Split(strings.TrimPrefix(strings.TrimPrefix(real, root), "/"), "/")
	at, err := openat(unix.AT_FDCWD, root, openToPass|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() { unix.Close(at) }()
	for _, name := range names[:len(names)-1] {
		next, err := openat(at, name, openToPass|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, swapped(real, err)
		}
		unix.Close(at)
		at = next
	}
	return last(at, names[len(names)-1], real)
}

// last opens the last name, which may simply be that of a file.
func last(at int, name, real string) (endpoint.Dir, error) {
	folder, err := openDirAt(at, name, real)
	if err == nil {
		return folder, nil
	}
	var st unix.Stat_t
	if unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && typeOf(uint32(st.Mode)) != endpoint.Symlink {
		return nil, err
	}
	return nil, swapped(real, err)
}

// swapped turns what openat says about a link where a folder was into path_not_allowed.
func swapped(path string, err error) error {
	if err == unix.ELOOP || err == unix.ENOTDIR {
		return notAllowed(path, "it changed into a symbolic link while it was looked at")
	}
	return err
}

func notAllowed(path, why string) error {
	return failure.New(failure.PathNotAllowed, path, fmt.Sprintf("The path is not allowed: %s (%s)", path, why))
}

// within reports whether path is root or below it, by their letters.
func within(path, root string) bool {
	return path == root || root == "/" || strings.HasPrefix(path, root+"/")
}
