package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ketter/ketter/engine/direct"
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
	spec        transfer.Spec
	plan        planner.Plan
	watch       *watch
	builder     builder
	source      *tree.Root
	destination endpoint.Dir

	stage     *staging.Staging
	end       manifest.End // of the manifest, once staged
	published bool         // from here on the destination stays
}

func (e *Engine) run(ctx context.Context, plan planner.Plan, obs transfer.Observer, b builder) (transfer.Result, error) {
	began := e.now()
	s, err := e.survey(plan.Spec)
	if err != nil {
		return transfer.Result{}, err
	}
	defer s.close()
	w := startWatch(obs)
	defer w.stop()
	r := &run{engine: e, spec: plan.Spec, plan: plan, watch: w, builder: b, source: s.source}
	var result transfer.Result
	if s.published {
		r.destination = s.place.Dir
		result, err = r.resume(ctx)
	} else {
		result, err = r.afresh(ctx, s)
	}
	result.Elapsed = e.now().Sub(began)
	return result, err
}

// afresh is a run that finds nothing published. When it fails before its publish, the destination is left as it was.
func (r *run) afresh(ctx context.Context, s *site) (transfer.Result, error) {
	if r.spec.Mode == transfer.Move {
		if err := r.topRemovable(); err != nil {
			return transfer.Result{}, err
		}
	}
	place := s.place
	parents, err := staging.MakeParents(place.Dir, place.Missing)
	if err != nil {
		return transfer.Result{}, failure.AtDestination("make folder", r.spec.Destination, err)
	}
	defer parents.Close()
	r.destination = parents.Last()
	result, err := r.transfer(ctx, parents)
	if err != nil && !r.published {
		parents.Remove()
	}
	return result, err
}

func (r *run) transfer(ctx context.Context, parents *staging.Parents) (transfer.Result, error) {
	if err := r.refuseTakenAway(ctx); err != nil {
		return transfer.Result{}, err
	}
	if err := r.sweepDead(ctx); err != nil {
		return transfer.Result{}, err
	}
	if r.spec.Mode == transfer.Move && !r.spec.Forced() {
		done, err := r.rename(ctx, parents)
		if done || err != nil {
			return transfer.Result{Method: transfer.Rename, Files: r.plan.Files, Bytes: r.plan.Bytes}, err
		}
	}
	if err := r.preflight(); err != nil {
		return transfer.Result{}, err
	}
	err := r.deliver(ctx, parents)
	if r.published {
		defer r.stage.Close()
	}
	if err != nil {
		return transfer.Result{}, err
	}
	result := transfer.Result{Method: r.builder.method(), Files: r.end.Files, Bytes: r.end.Bytes}
	if r.spec.Mode == transfer.Move {
		return result, r.removeSource(ctx, r.stage.OpenManifest)
	}
	return result, nil
}

// deliver stages, proves and publishes. The staging is swept unless it gets to the publish; from then on it stays, open
// and locked until the run ends.
func (r *run) deliver(ctx context.Context, parents *staging.Parents) (err error) {
	r.stage, err = staging.Create(r.destination, staging.Name(r.spec.Run))
	if err != nil {
		return failure.AtDestination("make staging", r.destination.Path(), err)
	}
	defer func() {
		if !r.published {
			err = joinSweep(ctx, err, r.stage)
		}
	}()
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.sync(); err != nil {
		return err
	}
	if err := r.verify(ctx); err != nil {
		return err
	}
	return r.publish(ctx, parents)
}

// fill lets the builder build, and writes the manifest to its end.
func (r *run) fill(ctx context.Context) (err error) {
	path := r.stage.Dir().Path()
	out, err := r.stage.CreateManifest()
	if err != nil {
		return failure.AtDestination("create manifest", path, err)
	}
	defer out.Close()
	sink := manifest.NewWriter(out)
	if err := r.builder.build(ctx, r, sink); err != nil {
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
	if !r.syncWhole() {
		if err := out.Sync(); err != nil {
			return failure.AtDestination("sync manifest", path, err)
		}
	}
	return failure.AtDestination("close manifest", path, out.Close())
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

func (r *run) syncWhole() bool { return r.destination.Capabilities().SyncWhole }

// sync makes what was staged durable: at one stroke, or what is left after each file was synced by itself.
func (r *run) sync() error {
	r.watch.begin(transfer.Syncing, 0, 0)
	sync := r.stage.Sync
	if r.syncWhole() {
		sync = r.stage.Dir().SyncAll
	}
	return failure.AtDestination("sync", r.stage.Dir().Path(), sync())
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

// sweepDead removes what earlier runs of the job left.
func (r *run) sweepDead(ctx context.Context) error {
	return removeDead(ctx, r.destination, r.spec.Run)
}

func removeDead(ctx context.Context, dir endpoint.Dir, job transfer.Run) error {
	names, err := staging.OfJob(dir, job)
	for _, name := range names {
		err = errors.Join(err, staging.RemoveDead(ctx, dir, name))
	}
	return failure.AtDestination("sweep", dir.Path(), err)
}

// fileByFile is the builder of DIRECT.
type fileByFile struct{}

func (fileByFile) method() transfer.Method { return transfer.Copied }

func (fileByFile) build(ctx context.Context, r *run, sink *manifest.Writer) error {
	r.watch.begin(transfer.Copying, r.plan.Files, r.plan.Bytes)
	return direct.Copy(ctx, r.source, r.stage.Data(), direct.Options{
		Parallel: r.engine.parallel,
		Hash:     r.spec.Verify == transfer.Checksum,
		SyncEach: !r.syncWhole(),
		Sink:     sink,
		Count:    r.watch.count,
	})
}
