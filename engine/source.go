package engine

import (
	"path"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// openSource opens the source and the folder it is in. An allowed root may be copied; nothing above it is opened then.
func (e *Engine) openSource(storage endpoint.Storage, spec transfer.Spec) (*tree.Root, error) {
	place, err := storage.Locate(path.Dir(spec.Source))
	if failure.CodeOf(err) == failure.PathNotAllowed && spec.Mode == transfer.Copy {
		if root := e.openRoot(storage, spec.Source); root != nil {
			return root, nil
		}
	}
	if err != nil {
		return nil, failure.AtSource("find", spec.Source, ofSource(err))
	}
	root := &tree.Root{Parent: e.decorate.source(place.Dir), Name: path.Base(spec.Source)}
	root.Path = tree.Join(place.Path, root.Name)
	if len(place.Missing) > 0 {
		err = failure.New(failure.SourceNotFound, spec.Source, "Source not found: "+spec.Source)
	} else {
		err = openTop(root, spec)
	}
	if err == nil && spec.Mode == transfer.Move && storage.Below(root.Path) {
		err = failure.New(failure.PathNotAllowed, spec.Source, "An allowed root can't be moved away: "+spec.Source)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// openTop opens what is called root.Name, if it can be transferred.
func openTop(root *tree.Root, spec transfer.Spec) (err error) {
	if root.Info, err = root.Parent.Lstat(root.Name); err != nil {
		return failure.AtSource("stat", spec.Source, err)
	}
	switch root.Info.Type {
	case endpoint.File:
		return nil
	case endpoint.Symlink:
		return linkRefused(root, spec)
	case endpoint.Folder:
		if root.Folder, err = root.Parent.OpenDir(root.Name); err != nil {
			return failure.AtSource("open", spec.Source, err)
		}
		root.Info, err = root.Folder.Info()
		return failure.AtSource("stat", spec.Source, err)
	default:
		return tree.Unsupported(spec.Source)
	}
}

func linkRefused(root *tree.Root, spec transfer.Spec) error {
	refused := failure.New(failure.UnsupportedFileType, spec.Source,
		"The source is a symbolic link, which Ketter doesn't follow: "+spec.Source)
	refused.Hint = "Give the real path."
	if target, err := root.Parent.Readlink(root.Name); err == nil {
		if !strings.HasPrefix(target, "/") {
			target = path.Join(path.Dir(spec.Source), target)
		}
		refused.Hint = "Give the real path: " + target
	}
	return refused
}

// openRoot opens an allowed root as a source, nil if p isn't one.
func (e *Engine) openRoot(storage endpoint.Storage, p string) *tree.Root {
	place, err := storage.Locate(p)
	if err != nil {
		return nil
	}
	root := &tree.Root{Folder: e.decorate.source(place.Dir), Name: path.Base(p), Path: place.Path}
	if root.Info, err = root.Folder.Info(); err != nil || len(place.Missing) > 0 || path.Base(place.Path) != root.Name {
		root.Close()
		return nil
	}
	return root
}
