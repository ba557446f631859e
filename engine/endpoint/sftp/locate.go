package sftp

import (
	"fmt"
	"path"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// maxLinks is how many symbolic links may be on a path, as on Linux.
const maxLinks = 40

// Locate resolves the path here, name by name: servers differ in what their own realpath does with links.
func (s *Storage) Locate(full string) (*endpoint.Place, error) {
	if _, err := s.lstat(s.root); err != nil {
		return nil, fmt.Errorf("root %s: %w", s.root, err)
	}
	real, missing, err := s.resolve(full)
	if err != nil {
		return nil, err
	}
	if !within(real, s.root) {
		return nil, notAllowed(full, "it is outside the portal's root")
	}
	info, err := s.lstat(real)
	if err != nil {
		return nil, err
	}
	if info.Type == endpoint.Symlink {
		return nil, notAllowed(full, "it changed into a symbolic link while it was looked at")
	}
	if err := needFolder(info); err != nil {
		return nil, err
	}
	return &endpoint.Place{Dir: &dir{storage: s, path: real}, Info: info, Path: real, Missing: missing}, nil
}

// Below reports whether the root is real, or lies below it.
func (s *Storage) Below(real string) bool { return within(s.root, real) }

// resolve splits a path into the real path of what exists and the names that don't. Names below a file don't exist; that they
// can't is told once the file is looked at as a folder.
func (s *Storage) resolve(full string) (real string, missing []string, err error) {
	real = "/"
	todo := names(full)
	own := len(todo) // how many at the end of todo are not what a link has said
	for links := 0; len(todo) > 0; {
		name, rest := todo[0], todo[1:]
		if name == ".." {
			real, todo = path.Dir(real), rest
			continue
		}
		info, err := s.lstat(join(real, name))
		switch {
		case err == syscall.ENOENT && len(todo) > own:
			return "", nil, notAllowed(full, "it leads nowhere, or changes while it is looked at")
		case err == syscall.ENOENT:
			return real, todo, nil
		case err != nil:
			return "", nil, err
		case info.Type != endpoint.Symlink:
			real, todo = join(real, name), rest
			continue
		}
		if links++; links > maxLinks {
			return "", nil, notAllowed(full, "its symbolic links lead in a circle")
		}
		target, err := s.readlink(join(real, name))
		if err != nil {
			return "", nil, err
		}
		if strings.HasPrefix(target, "/") {
			real = "/"
		}
		own = min(own, len(rest))
		todo = append(names(target), rest...)
	}
	return real, nil, nil
}

// names are those of a path that lead somewhere else than where one is.
func names(full string) (all []string) {
	for _, name := range strings.Split(full, "/") {
		if name != "" && name != "." {
			all = append(all, name)
		}
	}
	return all
}

// within reports whether full is root or below it, by their letters.
func within(full, root string) bool {
	return full == root || root == "/" || strings.HasPrefix(full, root+"/")
}

func notAllowed(full, why string) error {
	return failure.New(failure.PathNotAllowed, full, fmt.Sprintf("The path is not allowed: %s (%s)", full, why))
}
