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
	}
	return path.Clean(sent), nil
}

// parseSide returns the clean path of a side of a job: the worker's own, or one inside a portal, whose root is "/".
func parseSide(name, sent string, inPortal bool) (string, error) {
	if !inPortal || sent == "" {
		return parsePath(name, sent)
	}
	if slices.Contains(strings.Split(sent, "/"), "..") {
		return "", failure.New(failure.InvalidRequest, sent[:min(len(sent), maxPath)], name+" holds \"..\"; name the path from the portal's root on.")
	}
	return parsePath(name, "/"+strings.TrimLeft(sent, "/"))
}

// side is one end of a job.
type side struct {
	name, path string
	portal     int64 // 0: none
}

// checkPaths refuses what must never reach a worker, judging by the paths' text. The worker judges again with symbolic
// links resolved. What lies in a portal lies below its root, which whoever made the portal has allowed.
func checkPaths(spec transfer.Spec, roots []string) error {
	source := side{"source_path", spec.Source, spec.SourcePortal}
	for _, s := range []side{source, {"destination_path", spec.Destination, spec.DestinationPortal}} {
		if err := checkAllowed(s, roots); err != nil {
			return err
		}
	}
	if err := checkRoot(source, spec.Mode, roots); err != nil {
		return err
	}
	if spec.SourcePortal != spec.DestinationPortal {
		return nil // two places, as far as can be told from here
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

func checkAllowed(s side, roots []string) error {
	if s.portal != 0 || slices.ContainsFunc(roots, func(root string) bool { return inside(root, s.path) }) {
		return nil
	}
	return failure.New(failure.PathNotAllowed, s.path,
		fmt.Sprintf("%s is outside the allowed roots: %s.", s.name, strings.Join(roots, ", ")))
}

// checkRoot refuses what has no name to arrive under, and to move what others stand on.
func checkRoot(source side, mode transfer.Mode, roots []string) error {
	switch {
	case source.portal != 0 && source.path == "/":
		return failure.New(failure.InvalidRequest, source.path,
			"source_path is the whole portal, which has no name to arrive under. Name a folder or a file in it.")
	case mode != transfer.Move:
	case source.portal == 0 && slices.ContainsFunc(roots, func(root string) bool { return inside(source.path, root) }):
		return failure.New(failure.PathNotAllowed, source.path,
			"A move of source_path would remove an allowed root. Copy it, or move what lies in it.")
	}
	return nil
}

// inside reports whether p is dir or lies below it, component by component: /data2 is not inside /data.
func inside(dir, p string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
