package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
)

// builder fills a run's staging with what it is to publish: the one thing in which strategies differ.
type builder interface {
	method() transfer.Method
	build(ctx context.Context, r *run, sink *manifest.Writer) error
}

// run is one transfer under way.
type run struct {
	engine      *Engine
	sides       *sides
	spec        transfer.Spec
	plan        planner.Plan
	watch       *watch
	builder     builder
	source      *tree.Root
	destination endpoint.Dir
	holds       endpoint.Capabilities // the destination's
	parallel    int                   // files in flight

	stage     *staging.Staging
	keep      staging.Keep
	earlier   *earlier     // nil when no earlier run has left anything
	end       manifest.End // of the manifest, once staged
	spool     *spool       // of the manifest; nil where reading it again costs little
	published bool         // from here on the destination stays
	unsynced  atomic.Bool  // a sync failed: what was written before may be lost, and a later one won't say so
}

func (e *Engine) run(ctx context.Context, plan planner.Plan, obs transfer.Observer, b builder) (transfer.Result, error) {
	began := e.now()
	w := startWatch(obs, e.now)
	defer w.stop()
	result, err := e.runOnce(ctx, plan, w, b)
	if errors.Is(err, staging.ErrPublished) { // by an earlier run, since this one looked
		result, err = e.runOnce(ctx, plan, w, b)
	}
	result.Elapsed = e.now().Sub(began)
	return result, err
}

func (e *Engine) runOnce(ctx context.Context, plan planner.Plan, w *watch, b builder) (transfer.Result, error) {
	s, err := e.survey(ctx, plan.Spec)
	if err != nil {
		return transfer.Result{}, err
	}
	defer s.close()
	if err := s.sides.tell(ctx, w); err != nil {
		return transfer.Result{}, err
	}
	r := &run{engine: e, sides: s.sides, spec: plan.Spec, plan: plan, watch: w, builder: b, source: s.source}
	if err := r.overNetwork(ctx, s); err != nil {
		return transfer.Result{}, err
	}
	w.expect(plan, r.builder.method())
	if s.published != nil {
		r.destination, r.holds = s.place.Dir, holds(s.place.Dir)
		return r.resume(ctx, s)
	}
	return r.afresh(ctx, s)
}

// afresh is a run that finds nothing published. When it fails before its publish, the destination is left as it was.
func (r *run) afresh(ctx context.Context, s *site) (transfer.Result, error) {
	if r.spec.Mode == transfer.Move {
		if err := r.topRemovable(); err != nil {
			return transfer.Result{}, err
		}
	}
	parents, err := staging.MakeParents(s.place.Dir, s.place.Missing)
	if err != nil {
		return transfer.Result{}, r.noParents(err)
	}
	defer parents.Close()
	r.destination = parents.Last()
	r.holds = holds(r.destination)
	r.parallel = r.engine.inFlight(r.source.Dir(), r.destination)
	result, err := r.transfer(ctx, s, parents)
	if err != nil && !r.published {
		parents.Remove()
	}
	return result, err
}

func (r *run) transfer(ctx context.Context, s *site, parents *staging.Parents) (transfer.Result, error) {
	if s.halfway {
		remove := r.destination.Remove
		if r.source.Folder != nil {
			remove = r.destination.RemoveDir
		}
		if err := remove(r.name()); err != nil {
			return transfer.Result{}, r.publishFailed(err)
		}
	}
	if r.spec.Mode == transfer.Move && !r.spec.Forced() {
		done, err := r.rename(ctx, parents)
		if done || err != nil {
			return transfer.Result{Method: transfer.Rename, Files: r.plan.Files, Bytes: r.plan.Bytes}, err
		}
	}
	if err := r.possible(); err != nil {
		return transfer.Result{}, err
	}
	err := r.deliver(ctx, s, parents)
	if r.published {
		defer r.stage.Close()
	}
	if err != nil {
		return transfer.Result{}, err
	}
	result := transfer.Result{Method: r.builder.method(), Files: r.end.Files, Bytes: r.end.Bytes}
	if err := r.stillInPlace(); err != nil || r.spec.Mode == transfer.Copy {
		return result, err
	}
	return result, r.removeSource(ctx, r.openManifest)
}

// openManifest opens the manifest of what was staged.
func (r *run) openManifest() (io.ReadCloser, error) {
	if kept := r.spool.open(); kept != nil {
		return kept, nil
	}
	return r.stage.OpenManifest()
}

// stillInPlace makes sure that the folder which is open is still the one that the job names: it may have been moved away, or
// something mounted over it, and then nobody finds there what is told to have arrived. Before the publish the job fails;
// after it the source of a move stays, too. Where folders are known by their paths alone, as over a network, a publish only
// succeeds at the path, so there is nothing to ask but whether the job's path still leads there.
func (r *run) stillInPlace() error {
	if r.holds.Far && (!r.published || r.spec.Mode == transfer.Copy) {
		return nil
	}
	place, err := r.sides.destination.Locate(r.spec.Destination)
	if failure.CodeOf(err) == failure.PortalUnreachable {
		return err
	}
	if err != nil {
		return r.notInPlace(err)
	}
	defer place.Dir.Close()
	same := place.Path == r.destination.Path()
	if !r.holds.Far {
		var here endpoint.Info
		here, err = r.destination.Info()
		same = here.Is(place.Info)
	}
	if err == nil && same && len(place.Missing) == 0 {
		return nil
	}
	return r.notInPlace(err)
}

func (r *run) notInPlace(err error) error {
	code, message := failure.DestinationNotFound, "The destination was moved away, or something was mounted over it, while the job ran: "+
		r.spec.Destination
	switch {
	case !r.published:
	case r.spec.Mode == transfer.Move:
		code = failure.SourceNotRemoved
		message += ". What was published is complete, where that folder is now; the source stays: " + r.spec.Source
	default:
		message += ". What was published is complete, where that folder is now"
	}
	f := failure.New(code, r.spec.Destination, message)
	f.Hint = "Nothing of the source was lost. Bring the folder back, or see that its volume is mounted, then retry the job."
	f.Err = err
	return f
}

// deliver stages, proves and publishes. The staging is swept unless it gets to the publish, or another run is to go on
// with it; from the publish on it stays, open and locked until the run ends.
func (r *run) deliver(ctx context.Context, s *site, parents *staging.Parents) (err error) {
	if err := r.begin(ctx, s); err != nil {
		return err
	}
	defer func() {
		r.earlier.close()
		err = r.ifTaken(r.showFinal(err))
		switch {
		case r.published:
		case err != nil && !r.unsynced.Load() && r.spec.Resumes != nil && r.spec.Resumes(err):
			r.stage.Close()
		default:
			err = joinSweep(ctx, err, r.stage)
		}
	}()
	if r.earlier, err = r.inherit(ctx, s.leavings); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	if err := r.verify(ctx); err != nil {
		return err
	}
	return r.publish(ctx, parents)
}

// begin makes the staging, if there is room for what it is to hold.
func (r *run) begin(ctx context.Context, s *site) error {
	err := endpoint.InTurn(r.holds.Far, func() error {
		if len(s.leavings) > 0 { // what they hold isn't needed once more: see adopt
			return nil
		}
		return r.preflight(0, 0)
	}, func() (err error) {
		r.stage, err = staging.Create(r.destination, staging.Name(r.spec.Run))
		return noStaging(r.destination, err)
	})
	if err != nil && r.stage != nil {
		return joinSweep(ctx, err, r.stage)
	}
	return err
}

// showFinal lets a failure tell the path that an operator knows, and not that of a staging which is gone by then. The failure
// itself may be others' too: whoever shares a connection shares why it was lost.
func (r *run) showFinal(err error) error {
	var f *failure.Error
	if !errors.As(err, &f) {
		return err
	}
	shown := *f
	for _, staged := range []string{r.stage.Data().Path(), r.stage.Dir().Path()} {
		shown.Path = strings.Replace(shown.Path, staged, r.destination.Path(), 1)
		shown.Message = strings.ReplaceAll(shown.Message, staged, r.destination.Path())
	}
	if shown.Path == f.Path && shown.Message == f.Message {
		return err
	}
	shown.Err = err
	return &shown
}

// ifTaken tells a run that failed because another one took its staging from it, which may be one that had lost the right
// to go on and didn't know yet: whoever has it may try again.
func (r *run) ifTaken(err error) error {
	code := failure.CodeOf(err)
	if err == nil || r.published || code.Class() != failure.Permanent || code == failure.Cancelled || !r.stage.Taken() {
		return err
	}
	f := failure.New(failure.Internal, r.spec.Destination, "Another run of this job has taken over what this one was building")
	f.Err = err
	return f
}

// fill takes over what earlier runs have proven, lets the builder build the rest, and writes the manifest to its end.
func (r *run) fill(ctx context.Context) (err error) {
	path := r.stage.Dir().Path()
	out := r.stage.Manifest()
	defer out.Close()
	method := r.builder.method()
	var to io.Writer = out
	if r.holds.Far {
		r.spool = &spool{Writer: out}
		to = r.spool
	}
	sink, err := manifest.NewWriter(to, manifest.Begin{Archive: method == transfer.Archive, Stream: method == transfer.Stream,
		SyncEach: !r.holds.SyncWhole, Epoch: r.holds.Epoch})
	if err != nil {
		return failure.AtDestination("write manifest", path, err)
	}
	r.keep = r.keeps()
	if err := r.noting(ctx, sink, r.buildAll); err != nil {
		return err
	}
	staged, err := r.stage.Data().Lstat(r.source.Name)
	if err != nil {
		return failure.AtDestination("stat", path, err)
	}
	if r.end, err = sink.End(staged); err != nil {
		return failure.AtDestination("write manifest", path, err)
	}
	if err := r.asPlanned(); err != nil {
		return err
	}
	if !r.holds.SyncWhole {
		if err := out.Sync(); err != nil {
			return failure.AtDestination("sync manifest", path, err)
		}
	}
	return failure.AtDestination("close manifest", path, out.Close())
}

func (r *run) buildAll(ctx context.Context, sink *manifest.Writer) error {
	if err := r.adopt(ctx, sink); err != nil {
		return err
	}
	if err := r.builder.build(ctx, r, sink); err != nil {
		return err
	}
	return r.earlier.usedUp(ctx, r)
}

// holds is what a destination can hold. Links that can't be told from copies are none.
func holds(dir endpoint.Dir) endpoint.Capabilities {
	c := dir.Capabilities()
	c.HardLinks = c.HardLinks && c.Realm != ""
	return c
}

// keeps is what both sides can hold.
func (r *run) keeps() staging.Keep {
	from := r.source.Dir().Capabilities()
	keep := staging.Keep{Modes: r.holds.Modes, Xattrs: r.holds.Xattrs && from.Xattrs, SyncEach: !r.holds.SyncWhole,
		Foreign: from.Far || r.holds.Far}
	if r.holds.HardLinks {
		keep.Links = r.stage.Links()
	}
	return keep
}

// noting makes durable what was done so far while work goes on, every now and then, and notes that it is. So a machine
// that stops costs minutes of work and not hours.
func (r *run) noting(ctx context.Context, sink *manifest.Writer,
	work func(ctx context.Context, sink *manifest.Writer) error) error {
	if !r.holds.SyncWhole { // each file is durable when it is recorded
		return work(ctx, sink)
	}
	group, ctx := errgroup.WithContext(ctx)
	done := make(chan struct{})
	group.Go(func() error {
		defer close(done)
		return work(ctx, sink)
	})
	group.Go(func() error { return r.note(done, sink) })
	return group.Wait()
}

func (r *run) note(done <-chan struct{}, sink *manifest.Writer) error {
	ticker := time.NewTicker(r.engine.noteEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-ticker.C:
		}
		lines, err := sink.Lines()
		if err == nil {
			err = r.noticed(r.stage.Dir().SyncAll())
		}
		if err == nil {
			err = sink.Synced(lines)
		}
		if err != nil {
			return failure.AtDestination("sync", r.stage.Dir().Path(), err)
		}
	}
}

// asPlanned refuses a source of which less, or more, was read than the planner had seen: it changed in between, perhaps
// under another job that moves it, and a part of a folder must not be told as the folder.
func (r *run) asPlanned() error {
	if r.end.Files == r.plan.Files && r.end.Bytes == r.plan.Bytes {
		return nil
	}
	return tree.Changed(r.spec.Source, fmt.Sprintf("%d files of %d bytes were read where %d files of %d bytes had been seen",
		r.end.Files, r.end.Bytes, r.plan.Files, r.plan.Bytes), nil)
}

// sync makes what was staged durable: at one stroke, or what is left after each file was synced by itself.
func (r *run) sync(ctx context.Context) error {
	r.watch.begin(transfer.Syncing, 0, 0)
	if err := ctx.Err(); err != nil {
		return err
	}
	sync := r.stage.Sync
	if r.holds.SyncWhole {
		sync = r.stage.Dir().SyncAll
	}
	return failure.AtDestination("sync", r.stage.Dir().Path(), r.noticed(sync()))
}

// noticed remembers that a sync failed.
func (r *run) noticed(err error) error {
	if err != nil {
		r.unsynced.Store(true)
	}
	return err
}

// sweepTime bounds a sweep, which goes on when its run's context has ended.
const sweepTime = 10 * time.Minute

func sweep(ctx context.Context, stage *staging.Staging) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	return failure.AtDestination("sweep", stage.Dir().Path(), stage.Remove(ctx))
}

// joinSweep sweeps after err, which stays the first thing to be told.
func joinSweep(ctx context.Context, err error, stage *staging.Staging) error {
	swept := sweep(ctx, stage)
	if err == nil {
		return swept
	}
	if swept == nil {
		return err
	}
	return errors.Join(err, swept)
}
