package planner

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/transfer"
)

// Source is what a plan is made for.
type Source struct {
	tree.Root
	// Avoid is the destination's folder, or the one it will be made in; nil where the source can't hold it. A source that does
	// can't be transferred into it.
	Avoid *endpoint.Info
	// Lacks is what the destination can't hold.
	Lacks []string
	// Parallel is how many names are looked at at once, at least 1.
	Parallel int
	// Amiss is told what can't be counted, which is left out then, by one goroutine at a time; and whether files can be read is
	// asked. Nil: the first such name ends the count, as it would end a run.
	Amiss func(error)
}

// DecideStrategy counts the source and decides. It finds what can't be transferred before anything is written.
func DecideStrategy(ctx context.Context, source *Source, spec transfer.Spec, policy Policy) (Plan, error) {
	began := time.Now()
	plan := Plan{Spec: spec, IsFolder: source.Info.Type == endpoint.Folder, Lacks: source.Lacks}
	if err := count(ctx, source, &plan); err != nil {
		return Plan{}, err
	}
	if plan.Files > 0 {
		plan.AvgSize = plan.Bytes / plan.Files
	}
	plan.decide(policy)
	plan.Elapsed = time.Since(began)
	return plan, nil
}

func (p *Plan) decide(policy Policy) {
	p.Strategy, p.Reason = transfer.Direct, ""
	switch {
	case p.Spec.Forced():
		p.Strategy, p.Forced = p.Spec.Strategy, true
		p.Reason = "the job itself asks for it."
	case !p.IsFolder:
		p.Reason = "the source is a single file."
	case p.Files == 0:
		p.Reason = "the folder holds no files."
	case p.Files <= policy.ZipThresholdFiles:
		p.Reason = fmt.Sprintf("%d files are not more than %d.", p.Files, policy.ZipThresholdFiles)
	case !averageBelow(p.Bytes, p.Files, policy.ZipThresholdAvgSize):
		p.Reason = fmt.Sprintf("%d files of %d bytes on average are not smaller than %d.",
			p.Files, p.AvgSize, policy.ZipThresholdAvgSize)
	default:
		p.Strategy = transfer.ZipFirst
		p.Reason = fmt.Sprintf("%d files are more than %d, and their %d bytes on average less than %d.",
			p.Files, policy.ZipThresholdFiles, p.AvgSize, policy.ZipThresholdAvgSize)
	}
}

// averageBelow reports whether total / n < limit, without rounding and without overflow. None of them is negative.
func averageBelow(total, n, limit int64) bool {
	high, low := bits.Mul64(uint64(n), uint64(limit))
	return high > 0 || uint64(total) < low
}

func count(ctx context.Context, source *Source, plan *Plan) error {
	switch source.Info.Type {
	case endpoint.File:
		plan.Files, plan.Bytes, plan.Inodes = 1, source.Info.Size, 1
		plan.Least = leastOf(source.Info)
		if source.Amiss != nil && source.Parent.CanRead(source.Name) != nil {
			plan.unreadable(source.Path)
		}
		return nil
	case endpoint.Folder:
		return countTree(ctx, source, plan)
	default:
		return tree.Unsupported(source.Path)
	}
}
