package engine

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// site is what a spec names, found and opened, and checked as far as can be without writing.
type site struct {
	spec      transfer.Spec
	source    *tree.Root // nil when it is gone and the job is past its publish
	place     *local.Place
	published bool // the final name is taken by what an earlier run of this job published
}

// survey opens what spec names. Nothing may be in the way at the final name, except what this very job published.
func (e *Engine) survey(spec transfer.Spec) (*site, error) {
	if err := validate(spec); err != nil {
		return nil, err
	}
	place, err := e.roots.Locate(spec.Destination)
	if err != nil {
		return nil, noPlace(spec, err)
	}
	place.Dir = e.decorate.destination(place.Dir)
	s := &site{spec: spec, place: place}
	if err := s.complete(e); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// noPlace is the failure of a destination that can't be found. A file in its place is told apart from a missing volume.
func noPlace(spec transfer.Spec, err error) error {
	if !errors.Is(err, syscall.ENOTDIR) {
		return failure.AtDestination("find", spec.Destination, err)
	}
	return &failure.Error{Code: failure.DestinationNotFound, Op: "find", Path: spec.Destination, Err: err,
		Message: "The destination is not a folder, or lies below something that is none: " + spec.Destination,
		Hint:    "Choose a folder, or a name that doesn't exist yet, for the destination."}
}

func (s *site) complete(e *Engine) (err error) {
	var missing error
	s.source, err = e.openSource(s.spec)
	if failure.CodeOf(err) == failure.SourceNotFound {
		missing, err = err, nil
	}
	if err != nil {
		return err
	}
	if s.source != nil {
		if err := s.apart(); err != nil {
			return err
		}
	}
	if err := s.safe(); err != nil {
		return err
	}
	// A move whose source is gone has ended. A source whose folder or root can't be found is not known to be gone: its volume
	// may not be mounted.
	if s.published && (missing == nil || gone(missing) || !s.removes()) {
		return nil
	}
	return missing
}

// removes reports whether the run has a source to remove after the publish.
func (s *site) removes() bool {
	return s.spec.Mode == transfer.Move && s.spec.Intent.Method != transfer.Rename
}

// gone reports whether err says that the source's own name is missing in a folder that was found.
func gone(err error) bool {
	var f *failure.Error
	return errors.As(err, &f) && f.Op == "stat" && errors.Is(err, fs.ErrNotExist)
}

// apart refuses a destination that is the source, below it, or where the source already is.
func (s *site) apart() error {
	if s.place.Path == s.source.Path || strings.HasPrefix(s.place.Path, s.source.Path+"/") {
		return failure.New(failure.DestinationInsideSource, s.spec.Destination,
			"The destination lies inside the source: "+s.spec.Destination)
	}
	if s.source.Parent == nil || len(s.place.Missing) > 0 {
		return nil
	}
	here, err := s.place.Dir.Info()
	if err != nil {
		return failure.AtDestination("stat", s.spec.Destination, err)
	}
	there, err := s.source.Parent.Info()
	if err != nil {
		return failure.AtSource("stat", path.Dir(s.spec.Source), err)
	}
	if same(here, there.Device, there.Inode) {
		return failure.New(failure.SourceInsideDestination, s.spec.Source,
			"The source already lies in the destination: "+s.spec.Source)
	}
	return nil
}

// safe is safe mode: whatever has the final name stays, even a dangling link.
func (s *site) safe() error {
	if len(s.place.Missing) > 0 {
		return nil
	}
	info, err := s.place.Dir.Lstat(path.Base(s.spec.Source))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failure.AtDestination("stat", s.spec.FinalPath(), err)
	}
	if intent := s.spec.Intent; intent != nil && recognised(info, *intent) {
		s.published = true
		return nil
	}
	return destinationExists(s.spec)
}

func (s *site) close() {
	if s.source != nil {
		s.source.Close()
	}
	s.place.Dir.Close()
}

func destinationExists(spec transfer.Spec) error {
	return failure.New(failure.DestinationExists, spec.FinalPath(), "Destination already exists: "+spec.FinalPath())
}

// recognised reports whether info may be what an earlier run published. The device is no part of it where a manifest proves
// the rest (see resume): network file systems give it anew with each mount.
func recognised(info endpoint.Info, intent transfer.Intent) bool {
	return info.Inode == intent.Inode && (intent.Method != transfer.Rename || info.Device == intent.Device)
}

func same(info endpoint.Info, device, inode uint64) bool {
	return info.Device == device && info.Inode == inode
}
