package httpapi

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// maxPath is well above any system's PATH_MAX, and keeps rows and answers small.
const maxPath = 32 << 10

// parsePath returns the clean form of a path, which must be one that a worker could open.
func parsePath(name, sent string) (string, error) {
	refuse := func(sentence string) (string, error) {
		return "", failure.New(failure.InvalidRequest, sent[:min(len(sent), maxPath)], sentence)
	}
	switch {
	case sent == "":
		return refuse(name + " is missing or empty; give an absolute path, as the worker's host sees it.")
	case len(sent) > maxPath:
		return "", invalid("%s is longer than %d bytes.", name, maxPath)
	case strings.ContainsRune(sent, 0):
		return refuse(name + " holds a NUL character, which no file name can.")
	case strings.ContainsRune(sent, utf8.RuneError):
		return refuse(name + " holds U+FFFD, which stands for bytes that were lost: the name is not valid Unicode. " +
			"Name the folder above it instead.")
	case !path.IsAbs(sent):
		return refuse(name + " is not absolute; it must begin with /.")
	case path.Clean(sent) == "/" && name == fieldSource:
		return refuse(name + " is the root of the file system; name the file or folder to transfer.")
	}
	return path.Clean(sent), nil
}

// checkPaths refuses what must never reach a worker, judging by the paths' text. The worker judges again with symbolic
// links resolved.
func checkPaths(spec transfer.Spec, roots []string) error {
	for _, p := range []struct{ name, path string }{{fieldSource, spec.Source}, {fieldDestination, spec.Destination}} {
		if !slices.ContainsFunc(roots, func(root string) bool { return inside(root, p.path) }) {
			return failure.New(failure.PathNotAllowed, p.path,
				fmt.Sprintf("%s is outside the allowed roots: %s.", p.name, strings.Join(roots, ", ")))
		}
	}
	holdsRoot := func(root string) bool { return inside(spec.Source, root) }
	if spec.Mode == transfer.Move && slices.ContainsFunc(roots, holdsRoot) {
		return failure.New(failure.PathNotAllowed, spec.Source,
			"A move of source_path would remove an allowed root. Copy it, or move what lies in it.")
	}
	if inside(spec.Source, spec.Destination) {
		return failure.New(failure.DestinationInsideSource, spec.Destination,
			"destination_path lies inside source_path. Choose a destination outside of it.")
	}
	if spec.FinalPath() == spec.Source {
		return failure.New(failure.SourceInsideDestination, spec.Source,
			"source_path already lies in destination_path. Choose another destination folder.")
	}
	return nil
}

// inside reports whether p is dir or lies below it, component by component: /data2 is not inside /data.
func inside(dir, p string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
