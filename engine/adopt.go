package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync/atomic"
	"time"

	"github.com/ketter/ketter/engine/direct"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/engine/zipfirst"
)

// earlier is what earlier runs of the job have left to this one, which resumes them. Names that are proven there, and
// unchanged at the source since, are moved into a folder that no other run has open, and recorded anew; the walk of the
// source then takes them from there. The nil earlier has left nothing.
type earlier struct {
	stage *staging.Staging
	epoch string
	runs  []*earlierRun
	kept  endpoint.Dir

	files, bytes atomic.Int64 // what was taken over
	unfinished   int64        // bytes of files that will be gone on with
}

// earlierRun is one of them.
type earlierRun struct {
	*staging.Inherited
	summary manifest.Summary
	trees   []endpoint.Dir
	archive endpoint.Reader // nil if there is none
}

// inherit takes over the staging of earlier runs, so that none of them can publish any more.
func (r *run) inherit(ctx context.Context, leavings []staging.Leaving) (*earlier, error) {
	if len(leavings) == 0 {
		return nil, r.nonePublishes(ctx) // a run that lived would have left its staging
	}
	if err := r.watch.beforeInherit(ctx); err != nil {
		return nil, err
	}
	e := &earlier{stage: r.stage, epoch: r.holds.Epoch}
	for _, l := range leavings {
		inherited, err := r.stage.Inherit(l.Name, r.source.Name, !r.spec.Alone)
		for _, i := range inherited {
			e.runs = append(e.runs, &earlierRun{Inherited: i})
		}
		if errors.Is(err, staging.ErrAlive) {
			f := failure.New(failure.DestinationExists, r.spec.Destination,
				"The same transfer is running already, in "+tree.Join(r.destination.Path(), l.Name))
			f.Hint = "Wait for it to end, or end it."
			return e, f
		}
		if err != nil {
			return e, failure.AtDestination("take over an earlier run", r.spec.Destination, err)
		}
	}
	if err := r.nonePublishes(ctx); err != nil {
		return e, err
	}
	return e, failure.AtDestination("read an earlier run", r.spec.Destination, e.open())
}

// nonePublishes takes back an earlier run's intent, now that the run can't publish any more what it had built.
func (r *run) nonePublishes(ctx context.Context) error {
	if r.spec.Intent == nil {
		return nil
	}
	return r.notPublished(ctx)
}

// notPublished takes back a recorded intent, unless an earlier run had meant to rename: nothing keeps one that is frozen from
// doing so when it wakes.
func (r *run) notPublished(ctx context.Context) error {
	if r.spec.Intent != nil && r.spec.Intent.Method == transfer.Rename {
		return nil
	}
	return r.watch.notPublished(ctx)
}

func (e *earlier) open() (err error) {
	for _, run := range e.runs {
		file, err := run.OpenManifest()
		if err != nil {
			return err
		}
		if file == nil {
			continue
		}
		run.summary, err = manifest.Summarise(file)
		file.Close()
		if err != nil {
			return err
		}
		if run.trees, err = run.Trees(); err != nil {
			return err
		}
		if run.archive, err = run.OpenArchive(); err != nil {
			return err
		}
	}
	e.kept, err = e.stage.Kept()
	return err
}

func (e *earlier) close() {
	if e == nil {
		return
	}
	for _, run := range e.runs {
		for _, dir := range run.trees {
			dir.Close()
		}
		if run.archive != nil {
			run.archive.Close()
		}
		run.Close()
	}
}

// done returns how much was taken over.
func (e *earlier) done() (files, bytes int64) {
	if e == nil {
		return 0, 0
	}
	return e.files.Load(), e.bytes.Load()
}

// adopt takes over what earlier runs have proven, and then asks again whether there is room for the rest.
func (r *run) adopt(ctx context.Context, sink *manifest.Writer) error {
	if r.earlier == nil {
		return nil
	}
	began := r.engine.now()
	r.watch.begin(transfer.Resuming, r.plan.Files, r.plan.Bytes)
	for _, run := range r.earlier.runs {
		if err := r.adoptRun(ctx, run, sink); err != nil {
			return err
		}
		r.earlier.unfinished += run.unfinished(r.holds.Epoch)
	}
	files, bytes := r.earlier.done()
	if files > 0 || r.earlier.unfinished > 0 {
		err := r.watch.event(ctx, transfer.EventRecovered, fmt.Sprintf(
			"Going on with %d files and %d bytes that an earlier run has proven.", files, bytes+r.earlier.unfinished),
			transfer.Figures{"files": files, "bytes": bytes, "unfinished_bytes": r.earlier.unfinished,
				"seconds": r.engine.now().Sub(began).Seconds()})
		if err != nil {
			return err
		}
	}
	return r.preflight(files, bytes+r.earlier.unfinished)
}

// unfinished is how much of files that the run had not finished can be used.
func (e *earlierRun) unfinished(epoch string) int64 {
	if !e.Dead() {
		return 0
	}
	return e.summary.PartialBytes(epoch)
}

func (r *run) adoptRun(ctx context.Context, run *earlierRun, sink *manifest.Writer) error {
	file, err := run.OpenManifest()
	if file == nil || err != nil {
		return failure.AtDestination("open manifest", r.stage.Dir().Path(), err)
	}
	defer file.Close()
	err = each(ctx, r.parallel, share(r.plan.Files, r.parallel, chunk), manifest.NewReader(file), func(ctx context.Context) worker {
		a := &adopter{ctx: ctx, run: r, from: run, sink: sink, kept: tree.NewMaker(r.earlier.kept),
			source: r.source.Finder()}
		for _, dir := range run.trees {
			a.trees = append(a.trees, tree.NewFinder(dir))
		}
		return a
	})
	if manifest.CutShort(err) {
		return nil
	}
	return failure.AtDestination("read manifest", r.stage.Dir().Path(), err)
}

// adopter takes over one name after the other.
type adopter struct {
	ctx    context.Context
	run    *run
	from   *earlierRun
	sink   *manifest.Writer
	source *tree.Finder
	trees  []*tree.Finder
	kept   *tree.Finder
}

func (a *adopter) close() {
	for _, find := range append(a.trees, a.source, a.kept) {
		find.Close()
	}
}

// one takes over a file that is proven; symbolic links and folders are made again faster than looked at.
func (a *adopter) one(record numbered) error {
	if record.Type != endpoint.File || !a.from.summary.Proven(record.line, a.run.holds.Epoch) || !a.usable(record.Record) {
		return nil
	}
	kept, name, err := a.kept.Find(record.Path)
	if err != nil {
		return failure.AtDestination("make folder", record.Path, err)
	}
	taken, err := a.take(record.Record, kept, name)
	if !taken || err != nil {
		return err
	}
	same, err := a.run.keep.Links.Keep(record.Record, kept, name)
	if err == nil && !same {
		return failure.AtDestination("remove", record.Path, kept.Remove(name)) // it will be linked to the other
	}
	if err != nil {
		return failure.AtDestination("link", record.Path, err)
	}
	record.Packed = nil
	a.run.earlier.files.Add(1)
	a.run.earlier.bytes.Add(record.Size)
	a.run.watch.count(1, record.Size)
	return failure.AtDestination("record", record.Path, a.sink.Add(record.Record))
}

// usable reports whether what was read is what the source still is, and is told as the present run tells it.
func (a *adopter) usable(record manifest.Record) bool {
	dir, name, err := a.source.Find(record.Path)
	if err != nil {
		return false
	}
	info, err := dir.Lstat(name)
	if err != nil || !record.SameFile(manifest.Of(record.Path, info)) {
		return false
	}
	return record.Hashed || a.run.spec.Verify != transfer.Checksum // a further name of a file is linked anew
}

// take moves the file from where the earlier run has it, or unpacks it from that run's archive.
func (a *adopter) take(record manifest.Record, to endpoint.Dir, name string) (bool, error) {
	for _, find := range a.trees {
		dir, last, err := find.Find(record.Path)
		if err != nil {
			continue
		}
		info, err := dir.Lstat(last)
		if err != nil || !whole(info, record, a.run.holds.ModTimeStep) {
			continue
		}
		// A folder that was done has its final mode, by which not even its owner may be allowed to take anything out of it.
		err = withPermission(find, func() error { return dir.Rename(last, to, name) })
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err == nil, failure.AtDestination("take over", tree.Join(to.Path(), name), err)
		}
	}
	return a.extract(record, to, name)
}

// whole reports whether info is of a file that was written to its end: its time is the last thing that it gets.
func whole(info endpoint.Info, record manifest.Record, step time.Duration) bool {
	apart := info.ModAt.Sub(record.ModAt).Abs()
	return info.Type == endpoint.File && info.Size == record.Size && apart < max(step, 1)
}

// usedUp makes sure that the walk of the source has come to every name that was taken over: one that it didn't find was
// removed meanwhile. What is of no use any more is removed, so that it takes no space while the rest is proven.
func (e *earlier) usedUp(ctx context.Context, r *run) error {
	if e == nil {
		return nil
	}
	left, err := firstFile(ctx, e.kept, path.Dir(r.spec.Source))
	if err != nil {
		return failure.AtDestination("list", r.stage.Dir().Path(), err)
	}
	if left != "" {
		return tree.Changed(left, "it was removed meanwhile", nil)
	}
	return failure.AtDestination("sweep", r.stage.Dir().Path(), r.stage.DropInherited(ctx))
}

// firstFile returns the path of any file below dir, as seen from top, "" if there are none.
func firstFile(ctx context.Context, dir endpoint.Dir, top string) (string, error) {
	found := ""
	err := dir.List(func(entry endpoint.Entry) error {
		if found != "" || ctx.Err() != nil {
			return ctx.Err()
		}
		at := tree.Join(top, entry.Name)
		if entry.Type != endpoint.Folder {
			found = at
			return nil
		}
		below, err := dir.OpenDir(entry.Name)
		if err != nil {
			return err
		}
		defer below.Close()
		found, err = firstFile(ctx, below, at)
		return err
	})
	return found, err
}

var _ direct.Earlier = (*earlier)(nil)

// Folder opens what was taken over of the folder called path.
func (e *earlier) Folder(path string) (endpoint.Dir, error) {
	if path == "" {
		return e.kept, nil
	}
	find := tree.NewFinder(e.kept)
	defer find.Close()
	dir, name, err := find.Find(path)
	if err == nil {
		dir, err = dir.OpenDir(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return dir, err
}

// Rest returns the part of a file that a dead run has written: one that is alive may still write to it.
func (e *earlier) Rest(path string) (*direct.Rest, error) {
	for _, run := range e.runs {
		partial, ok := run.summary.Partial(path, e.epoch)
		if !ok || !run.Dead() {
			continue
		}
		for _, dir := range run.trees {
			if rest, err := restIn(dir, path, partial); rest != nil || err != nil {
				return rest, err
			}
		}
	}
	return nil, nil
}

func restIn(in endpoint.Dir, path string, partial manifest.Partial) (*direct.Rest, error) {
	find := tree.NewFinder(in)
	dir, name, err := find.Find(path)
	if err == nil {
		var info endpoint.Info
		if info, err = dir.Lstat(name); err == nil && info.Type == endpoint.File && info.Size >= partial.Offset {
			if err = mayGoOn(find, dir, name, info); err == nil {
				return &direct.Rest{Partial: partial, Dir: dir, Name: name, Close: find.Close}, nil
			}
		}
	}
	find.Close()
	return nil, nil // it is done afresh
}

// extract unpacks the file from the earlier run's archive, checked: what is unpacked is never read from the source again.
func (a *adopter) extract(record manifest.Record, to endpoint.Dir, name string) (bool, error) {
	if record.Packed == nil || a.from.archive == nil {
		return false, nil
	}
	if _, err := to.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return false, failure.AtDestination("look up", tree.Join(to.Path(), name), err) // another run had taken it over
	}
	path := tree.Join(a.run.stage.Dir().Path(), staging.ArchiveName)
	options := zipfirst.Options{Parallel: 1, Keep: a.run.keep, Count: func(int64, int64) {}}
	err := zipfirst.Extract(a.ctx, a.from.archive, path, record, to, name, options, true)
	if failure.CodeOf(err) == failure.ArchiveError {
		return false, nil // it isn't what was packed: it is done again
	}
	return err == nil, err
}

// mayGoOn lets the owner write to a file and take it out of its folder: both may have their final mode, when the run died
// before it had said so.
func mayGoOn(find *tree.Finder, dir endpoint.Dir, name string, file endpoint.Info) error {
	if file.Mode&0o200 == 0 {
		if err := dir.SetMode(name, file.Mode|0o600); err != nil {
			return err
		}
	}
	above, folder := find.Above()
	if above == nil {
		return nil
	}
	info, err := above.Lstat(folder)
	if err == nil && info.Mode&0o200 == 0 {
		err = above.SetMode(folder, info.Mode|0o700)
	}
	return err
}
