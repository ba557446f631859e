package engine

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"time"

	"github.com/ketter/ketter/engine/direct"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// Options is what an Engine may touch and how hard it works.
type Options struct {
	// AllowedRoots are the folders below which sources and destinations may lie. Absolute; at least one.
	AllowedRoots []string
	// TmpDir is where archives are made before they are sent; when empty they are made in the destination's staging.
	TmpDir string
	// Portals reaches what is not on this machine; nil where nothing is.
	Portals Portals
	// Policy is when a folder is packed; the zero value stands for planner.DefaultPolicy.
	Policy planner.Policy
	// Parallel is how many files are in flight at once; 0 derives it from the cores and the storages' latency.
	Parallel int
}

// Engine runs transfers. It holds no state of its own and may be used by several goroutines.
type Engine struct {
	roots     local.Roots
	portals   Portals
	tmpDir    string
	policy    planner.Policy
	parallel  int
	paced     bool // parallel grows with latency
	noteEvery time.Duration
	partEvery int64
	now       func() time.Time
	decorate  decorators
}

// decorators wrap the folders that an Engine opens; tests inject faults by them.
type decorators struct {
	source, destination func(endpoint.Dir) endpoint.Dir
}

func plain(dir endpoint.Dir) endpoint.Dir { return dir }

// New makes an Engine, or says what is wrong with options.
func New(options Options) (*Engine, error) {
	if len(options.AllowedRoots) == 0 {
		return nil, fmt.Errorf("engine: no allowed root: nothing may be read or written")
	}
	for _, p := range options.AllowedRoots {
		if why := wrongPath(p); why != "" {
			return nil, fmt.Errorf("engine: allowed root %q %s", p, why)
		}
	}
	if why := wrongPath(options.TmpDir); options.TmpDir != "" && why != "" {
		return nil, fmt.Errorf("engine: folder for archives %q %s", options.TmpDir, why)
	}
	if options.Policy == (planner.Policy{}) {
		options.Policy = planner.DefaultPolicy()
	}
	if options.Policy.ZipThresholdFiles < 0 || options.Policy.ZipThresholdAvgSize < 0 || options.Parallel < 0 {
		return nil, fmt.Errorf("engine: a threshold or the number of files in flight is negative")
	}
	e := &Engine{roots: options.AllowedRoots, portals: options.Portals, tmpDir: options.TmpDir, policy: options.Policy, parallel: options.Parallel,
		noteEvery: noteEvery, partEvery: direct.PartEvery, now: time.Now, decorate: decorators{plain, plain}}
	if e.parallel == 0 {
		e.parallel, e.paced = 2*runtime.GOMAXPROCS(0), true
	}
	return e, nil
}

// noteEvery is how often what is done so far is made durable while a run goes on: what a machine that stops costs.
const noteEvery = 30 * time.Second

// Plan looks at the source and decides how it is transferred. It fails on whatever can be known before anything is
// written. For a job that was published by an earlier run it makes the plan of that run, without looking at the source.
func (e *Engine) Plan(ctx context.Context, spec transfer.Spec) (planner.Plan, error) {
	s, err := e.survey(ctx, spec)
	if err != nil {
		return planner.Plan{}, err
	}
	defer s.close()
	if s.published != nil {
		return resumed(spec, *s.published), nil
	}
	return e.decide(ctx, s, nil)
}

// decide counts the source of a site, and tells amiss of what can't be counted; nil: that ends it. Without a place it is
// decided without it.
func (e *Engine) decide(ctx context.Context, s *site, amiss func(error)) (planner.Plan, error) {
	source := planner.Source{Root: *s.source, Parallel: e.inFlight(s.source.Dir()), Amiss: amiss}
	if s.place != nil {
		to, from := holds(s.place.Dir), s.source.Dir().Capabilities()
		source.Lacks = to.Lacks(from)
		if endpoint.OneRealm(s.place.Dir, s.source.Dir()) {
			source.Avoid = &s.place.Info // or of the folder that it will be made in
		}
	}
	return planner.DecideStrategy(ctx, &source, s.spec, s.sides.policy(e.policy))
}

func resumed(spec transfer.Spec, intent transfer.Intent) planner.Plan {
	plan := planner.Plan{Spec: spec, Strategy: transfer.Direct, Forced: spec.Forced(),
		Reason: "an earlier run of this job has published " + path.Base(spec.Source) + " already.",
		Files:  intent.Files, Bytes: intent.Bytes}
	if intent.Method == transfer.Archive || intent.Method == transfer.Stream {
		plan.Strategy = transfer.ZipFirst
	}
	if plan.Files > 0 {
		plan.AvgSize = plan.Bytes / plan.Files
	}
	return plan
}

// RunTransfer transfers file by file.
func (e *Engine) RunTransfer(ctx context.Context, plan planner.Plan, obs transfer.Observer) (transfer.Result, error) {
	return e.run(ctx, plan, obs, fileByFile{})
}

// RunTransferZipFirst packs the source into one archive, sends that and unpacks it at the destination; over a network it
// packs and unpacks on the fly.
func (e *Engine) RunTransferZipFirst(ctx context.Context, plan planner.Plan, obs transfer.Observer) (transfer.Result, error) {
	return e.run(ctx, plan, obs, byArchive{})
}
