package engine

import (
	"context"
	"errors"

	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// Options is what an Engine may touch and how hard it works.
type Options struct {
	// AllowedRoots are the folders below which sources and destinations may lie. Absolute; at least one.
	AllowedRoots []string
	// TmpDir is where archives are made before they are sent; when empty they are made in the destination's staging.
	TmpDir string
	// Policy is when a folder is packed; the zero value stands for planner.DefaultPolicy.
	Policy planner.Policy
	// Parallel is how many files are in flight at once; 0 derives it from the cores.
	Parallel int
}

// Engine runs transfers. It holds no state of its own and may be used by several goroutines.
type Engine struct {
	options Options
}

var errNotYet = errors.New("not implemented yet")

// New makes an Engine, or says what is wrong with options.
func New(options Options) (*Engine, error) {
	return &Engine{options: options}, nil
}

// Plan looks at the source and decides how it is transferred.
func (e *Engine) Plan(ctx context.Context, spec transfer.Spec) (planner.Plan, error) {
	return planner.Plan{}, errNotYet
}

// RunTransfer transfers file by file.
func (e *Engine) RunTransfer(ctx context.Context, plan planner.Plan, obs transfer.Observer) (transfer.Result, error) {
	return transfer.Result{}, errNotYet
}

// RunTransferZipFirst packs the source into one archive, sends that and unpacks it at the destination.
func (e *Engine) RunTransferZipFirst(ctx context.Context, plan planner.Plan, obs transfer.Observer) (transfer.Result, error) {
	return transfer.Result{}, errNotYet
}

// CleanUp removes what a finished job keeps in the destination so that it can be resumed: its staging and manifest.
func (e *Engine) CleanUp(ctx context.Context, spec transfer.Spec) error {
	return errNotYet
}
