package engine

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// site is what a spec names, found and opened, and checked as far as can be without writing.
type site struct {
	spec     transfer.Spec
	sides    *sides
	source   *tree.Root // nil when it is gone and the job is past its publish
	place    *endpoint.Place
	leavings []staging.Leaving // of earlier runs of the job

	published *transfer.Intent // what has the final name and is of an earlier run of this job, nil if nothing is
	by        *staging.Leaving // of the run that published; nil when it is gone, or there was none
	halfway   bool             // an earlier run had taken the final name with an empty folder, to publish over it
}

// survey opens what spec names. Nothing may be in the way at the final name, except what this very job published.
func (e *Engine) survey(ctx context.Context, spec transfer.Spec) (*site, error) {
	if err := validate(spec); err != nil {
		return nil, err
	}
	sides, err := e.open(ctx, spec)
	if err != nil {
		return nil, err
	}
	place, err := sides.destination.Locate(spec.Destination)
	if err != nil {
		sides.close()
		return nil, noPlace(spec, err)
	}
	place.Dir = e.decorate.destination(place.Dir)
	s := &site{spec: spec, sides: sides, place: place}
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
	s.source, err = e.openSource(s.sides.source, s.spec)
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
	if len(s.place.Missing) == 0 {
		var taken final
		far := s.place.Dir.Capabilities().Far
		if err := endpoint.InTurn(far, s.look, func() error { taken = s.atFinal(); return nil }); err != nil {
			return err
		}
		if errors.Is(taken.err, fs.ErrNotExist) && slices.ContainsFunc(s.leavings, staging.Leaving.Published) {
			taken = s.atFinal() // an earlier run may have published between the two looks
		}
		if err := s.safe(taken); err != nil {
			return err
		}
	}
	// A move whose source is gone has ended. A source whose folder or root can't be found is not known to be gone: its volume
	// may not be mounted.
	if s.published != nil && (missing == nil || gone(missing) || !s.removes()) {
		return nil
	}
	return missing
}

// removes reports whether the run has a source to remove after the publish.
func (s *site) removes() bool {
	return s.spec.Mode == transfer.Move && s.published.Method != transfer.Rename
}

// gone reports whether err says that the source's own name is missing in a folder that was found.
func gone(err error) bool {
	var f *failure.Error
	return errors.As(err, &f) && f.Op == "stat" && errors.Is(err, fs.ErrNotExist)
}

// apart refuses a destination that is the source, below it, or where the source already is.
func (s *site) apart() error {
	if s.oneHost() && (s.place.Path == s.source.Path || strings.HasPrefix(s.place.Path, s.source.Path+"/")) {
		return failure.New(failure.DestinationInsideSource, s.spec.Destination,
			"The destination lies inside the source: "+s.spec.Destination)
	}
	if s.source.Parent == nil || len(s.place.Missing) > 0 {
		return nil
	}
	same := false
	if endpoint.OneRealm(s.place.Dir, s.source.Parent) {
		there, err := s.source.Parent.Info()
		if err != nil {
			return failure.AtSource("stat", path.Dir(s.spec.Source), err)
		}
		same = there.Is(s.place.Info)
	}
	if same || s.oneHost() && s.place.Path == path.Dir(s.source.Path) {
		return failure.New(failure.SourceInsideDestination, s.spec.Source,
			"The source already lies in the destination: "+s.spec.Source)
	}
	return nil
}

// oneHost reports whether paths of both sides mean the same.
func (s *site) oneHost() bool {
	if s.spec.SourcePortal == s.spec.DestinationPortal {
		return true
	}
	return endpoint.OneRealm(s.place.Dir, s.source.Dir())
}

// look finds what earlier runs of the job have left.
func (s *site) look() error {
	names, err := staging.OfJob(s.place.Dir, s.spec.Run)
	for _, name := range names {
		var l staging.Leaving
		if l, err = staging.Look(s.place.Dir, name, path.Base(s.spec.Source)); err != nil {
			break
		}
		s.leavings = append(s.leavings, l)
	}
	return failure.AtDestination("look for earlier runs", s.spec.Destination, err)
}

// final is what has the final name.
type final struct {
	info endpoint.Info
	err  error
}

func (s *site) atFinal() (f final) {
	f.info, f.err = s.place.Dir.Lstat(path.Base(s.spec.Source))
	return f
}

// safe is safe mode: whatever has the final name stays, even a dangling link.
func (s *site) safe(taken final) (err error) {
	if errors.Is(taken.err, fs.ErrNotExist) {
		return s.notTakenAway()
	}
	if taken.err != nil {
		return failure.AtDestination("stat", s.spec.FinalPath(), taken.err)
	}
	if s.recognise(taken.info) {
		return nil
	}
	if s.halfway, err = s.publishedHalfway(taken.info); err != nil || s.halfway {
		return err
	}
	return destinationExists(s.spec)
}

// recognise finds out whether an earlier run has published what has the final name: by the manifest it left, or else by
// the recorded intent. Inode numbers are used again, so that without a manifest a copy's proves nothing; a move has the
// state of its source to show for it. The device is no part of it where a manifest proves the rest: network file systems
// give it anew with each mount.
func (s *site) recognise(info endpoint.Info) bool {
	for i, l := range s.leavings {
		if l.PublishedAs(info) {
			s.by = &s.leavings[i]
			s.published = intentOf(s.spec, *s.by)
			return true
		}
	}
	if s.spec.Intent == nil || s.spec.Mode != transfer.Move || !s.meant(*s.spec.Intent, info) {
		return false
	}
	s.published = s.spec.Intent
	return true
}

// meant reports whether info is of what intent announced. Without numbers of its own, a name that was renamed is known by its
// absence at the source alone.
func (s *site) meant(intent transfer.Intent, info endpoint.Info) bool {
	if intent.Inode == 0 || info.Inode == 0 {
		return intent.Method == transfer.Rename && s.source == nil && !s.hollow(intent, info)
	}
	return intent.Inode == info.Inode && (intent.Method != transfer.Rename || intent.Device == info.Device)
}

// intentOf is what the run that left l must have recorded before it published.
func intentOf(spec transfer.Spec, l staging.Leaving) *transfer.Intent {
	end := l.Summary.End
	intent := transfer.Intent{Path: spec.FinalPath(), Device: end.Device, Inode: end.Inode, Method: transfer.Copied,
		Files: end.Files, Bytes: end.Bytes}
	if l.Summary.Begin.Archive {
		intent.Method = transfer.Archive
	}
	if l.Summary.Begin.Stream {
		intent.Method = transfer.Stream
	}
	return &intent
}

// publishedHalfway reports whether a run was cut short between the two steps in which it publishes where no single one
// can: it had said that it would, what it was to publish is where it was, and the final name stands for an empty folder or
// file.
func (s *site) publishedHalfway(info endpoint.Info) (bool, error) {
	if !slices.ContainsFunc(s.leavings, s.meantToPublish) && !s.meantToRename() {
		return false, nil
	}
	switch {
	case s.source == nil || info.Type != s.source.Info.Type:
		return false, nil
	case info.Type == endpoint.File: // one that can't be told from another's, no storage publishes in steps
		return info.Size == 0 && info.Inode != 0, nil
	}
	empty, err := tree.IsEmpty(s.place.Dir, path.Base(s.spec.Source))
	return empty, failure.AtDestination("list", s.spec.FinalPath(), err)
}

// meantToPublish reports whether the run that left l had come to its publish. Where nothing but its staging is recorded, a
// staging that is complete has to do.
func (s *site) meantToPublish(l staging.Leaving) bool {
	if l.Summary.End == nil || !l.Holds {
		return false
	}
	intent := s.spec.Intent
	if intent == nil { // local file systems rename without replacing, in one step
		return s.spec.Alone && !s.place.Dir.Capabilities().SyncWhole
	}
	return intent.Inode == l.Summary.End.Inode
}

// hollow reports whether an empty folder has the name of what had files: a publish in steps takes its name so, first.
func (s *site) hollow(intent transfer.Intent, info endpoint.Info) bool {
	if info.Type != endpoint.Folder || intent.Files == 0 {
		return false
	}
	empty, err := tree.IsEmpty(s.place.Dir, path.Base(s.spec.Source))
	return empty || err != nil
}

// meantToRename reports whether an earlier run had come to a move's rename, and the source is where it was.
func (s *site) meantToRename() bool {
	intent := s.spec.Intent
	return intent != nil && intent.Method == transfer.Rename && s.source != nil &&
		s.source.Info.Inode == intent.Inode && s.source.Info.Device == intent.Device
}

// notTakenAway refuses to begin afresh when an earlier run has published and the result is not there any more. A move may
// have removed a part of its source by then: what is left of it is not the whole, and must not be told as such.
func (s *site) notTakenAway() error {
	if s.spec.Mode != transfer.Move { // the source of a copy is whole
		s.leavings = slices.DeleteFunc(s.leavings, staging.Leaving.Published)
		return nil
	}
	for _, l := range s.leavings {
		if !l.Published() {
			continue
		}
		f := failure.New(failure.SourceNotRemoved, s.spec.Source, "An earlier run of this job published "+s.spec.FinalPath()+
			", and someone has taken it away since; the rest of the source stays: "+s.spec.Source)
		f.Hint = "Find out where " + s.spec.FinalPath() + " went. If it is complete there, remove the rest of the source by hand."
		return f
	}
	return nil
}

func (s *site) close() {
	if s.source != nil {
		s.source.Close()
	}
	if s.place != nil {
		s.place.Dir.Close()
	}
	s.sides.close()
}

func destinationExists(spec transfer.Spec) error {
	return failure.New(failure.DestinationExists, spec.FinalPath(), "Destination already exists: "+spec.FinalPath())
}
