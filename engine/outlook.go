package engine

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"path"
	"syscall"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// Outlook is what a run would do, and what it would fail with, as far as can be told without changing anything.
type Outlook struct {
	Plan   planner.Plan    // of what could be counted; without a Strategy where the source could not
	Method transfer.Method // "" likewise
	Why    string          // the strategy, and why the method is another one than it says
	Needed uint64          // bytes that the destination must have free
	Free   uint64          // bytes; math.MaxUint64 where that isn't known
	// Problems are what would fail, in the order in which a run comes upon it; the first is what it fails with.
	Problems []*failure.Error
}

// mostProblems is how many of them are told.
const mostProblems = 20

// Outlook does all that a run does before it makes its first folder, with the run's own functions, and looks on where a run
// would stop. It changes nothing on either side. An error says that nothing can be told.
func (e *Engine) Outlook(ctx context.Context, spec transfer.Spec) (Outlook, error) {
	l := &looker{engine: e, spec: spec, Outlook: Outlook{Free: math.MaxUint64}}
	s, err := e.survey(ctx, spec)
	l.note(err)
	if err != nil {
		s = l.glimpse(ctx)
	}
	if s != nil {
		defer s.close()
		l.look(ctx, s)
	}
	return l.Outlook, errors.Join(ctx.Err(), l.failed)
}

// looker makes an Outlook.
type looker struct {
	Outlook
	engine *Engine
	spec   transfer.Spec
	failed error // why nothing can be told
}

// note takes what would fail, once, and reports whether there is nothing to note.
func (l *looker) note(err error) (fine bool) {
	if err == nil {
		return true
	}
	f := failure.From(err)
	if f.Code == failure.Internal || f.Code == failure.Cancelled { // it says nothing about the transfer
		l.failed = errors.Join(l.failed, err)
		return false
	}
	for _, known := range l.Problems {
		if known.Code == f.Code && known.Path == f.Path {
			return false
		}
	}
	if len(l.Problems) < mostProblems {
		l.Problems = append(l.Problems, f)
	}
	return false
}

// glimpse finds as much of a site as there is, where a run would not begin; nil where there is nothing to look at.
func (l *looker) glimpse(ctx context.Context) *site {
	if l.misplaced() || validate(l.spec) != nil {
		return nil
	}
	sides, err := l.engine.open(ctx, l.spec)
	if err != nil {
		return nil // it is noted
	}
	s := &site{spec: l.spec, sides: sides}
	place, err := sides.destination.Locate(l.spec.Destination)
	if err != nil {
		l.note(noPlace(l.spec, err))
	} else {
		place.Dir = l.engine.decorate.destination(place.Dir)
		s.place = place
	}
	s.source, err = l.engine.openSource(sides.source, l.spec)
	l.note(err)
	if s.place != nil && len(s.place.Missing) == 0 {
		l.note(l.free(s))
	}
	return s
}

// misplaced reports whether the sides stand in each other's way: there is nothing to be learned from them then.
func (l *looker) misplaced() bool {
	for _, p := range l.Problems {
		if p.Code == failure.SourceInsideDestination || p.Code == failure.DestinationInsideSource {
			return true
		}
	}
	return false
}

// free is safe mode as far as it needs no source.
func (l *looker) free(s *site) error {
	_, err := s.place.Dir.Lstat(path.Base(l.spec.Source))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return failure.AtDestination("stat", l.spec.FinalPath(), err)
	}
	return destinationExists(l.spec)
}

// look goes through a run's steps in their order.
func (l *looker) look(ctx context.Context, s *site) {
	if s.published != nil {
		l.Plan = resumed(l.spec, *s.published)
		l.Method, l.Why = s.published.Method, l.Plan.Why()
		return
	}
	r := &run{engine: l.engine, sides: s.sides, spec: l.spec, source: s.source}
	counted := s.source != nil && l.count(ctx, s)
	r.plan = l.Plan
	if s.source != nil && l.spec.Mode == transfer.Move {
		l.note(r.topRemovable())
	}
	if s.place == nil {
		return
	}
	r.destination, r.holds = s.place.Dir, holds(s.place.Dir)
	if space, err := r.destination.Space(); err == nil {
		l.Free = space.Bytes
	}
	made := r.destination.CanMake()
	if len(s.place.Missing) > 0 {
		l.note(r.noParents(made))
	}
	if counted {
		l.way(s, r, made)
	}
	if len(s.place.Missing) == 0 {
		l.note(noStaging(r.destination, made))
	}
	if counted && l.Method != transfer.Rename {
		l.archive(r)
		l.unreadable(r)
	}
}

// count decides the strategy by what can be counted.
func (l *looker) count(ctx context.Context, s *site) (counted bool) {
	plan, err := l.engine.decide(ctx, s, func(err error) { l.note(err) })
	if !l.note(err) {
		return false
	}
	l.Plan, l.Why = plan, plan.Why()
	return true
}

// way finds the method, and whether there is room for it.
func (l *looker) way(s *site, r *run, made error) {
	var why string
	r.builder = fileByFile{}
	if l.Plan.Strategy == transfer.ZipFirst {
		r.builder, why = l.engine.suited(byArchive{}, s)
	}
	if l.spec.Mode == transfer.Move && !l.spec.Forced() && made == nil && r.mayRename() {
		l.Method = transfer.Rename
		l.Why += " It is a move within one file system, so nothing is copied."
		return
	}
	l.Method = r.builder.method()
	if why != "" {
		l.Why += " " + why
	}
	l.note(r.removable())
	l.note(r.holdable())
	need := r.needs(0, 0)
	l.Needed = need.Bytes
	if len(s.leavings) == 0 { // what they hold isn't needed once more: see run.begin
		l.note(enough(r.destination, need))
	}
}

// archive looks at the folder for archives, where one is used.
func (l *looker) archive(r *run) {
	if l.Method != transfer.Archive || l.engine.tmpDir == "" {
		return
	}
	dir, err := l.engine.openTmp()
	if !l.note(err) {
		return
	}
	defer dir.Close()
	l.note(enough(dir, r.archiveNeeds()))
	l.note(noStaging(dir, dir.CanMake()))
}

// unreadable is what a run finds once it reads.
func (l *looker) unreadable(r *run) {
	for _, p := range r.plan.Unreadable {
		l.note(failure.AtSource("open", p, syscall.EACCES))
	}
}
