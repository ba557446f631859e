package planner

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Source is what a plan is made for.
type Source struct {
	tree.Root
	// Avoid is the destination's folder, or the one it will be made in. A source that holds it can't be transferred into it.
	Avoid endpoint.Info
}

// DecideStrategy counts the source and decides. It finds what can't be transferred before anything is written.
func DecideStrategy(ctx context.Context, source *Source, spec transfer.Spec, policy Policy) (Plan, error) {
	began := time.Now()
	plan := Plan{Spec: spec, IsFolder: source.Info.Type == endpoint.Folder}
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
		plan.Files, plan.Bytes = 1, source.Info.Size
		return nil
	case endpoint.Folder:
		return tree.Walk(ctx, &source.Root, &counter{plan: plan, avoid: source.Avoid})
	default:
		return tree.Unsupported(source.Path)
	}
}

// counter is the Visitor that fills a plan.
type counter struct {
	plan  *Plan
	avoid endpoint.Info
}

func (c *counter) Enter(parent *counted, name string, dir endpoint.Dir, info endpoint.Info) (*counted, error) {
	c.plan.Folders++
	if parent != nil {
		const each = true // any of them may be a mount point
		c.removable(parent, name, each)
	}
	if info.Device == c.avoid.Device && info.Inode == c.avoid.Inode {
		dir.Close()
		return nil, failure.New(failure.DestinationInsideSource, dir.Path(),
			"The destination lies inside the source: "+dir.Path())
	}
	return &counted{dir: dir, sticky: info.Mode&0o1000 != 0}, nil
}

func (c *counter) Entry(folder *counted, entry endpoint.Entry) error {
	c.plan.Files++
	c.removable(folder, entry.Name, folder.sticky) // in a sticky folder it depends on whose each file is
	if entry.Type == endpoint.Symlink {
		c.plan.Symlinks++
		return nil
	}
	info, err := folder.dir.Lstat(entry.Name)
	if err != nil {
		return tree.AtListed("stat", tree.Join(folder.dir.Path(), entry.Name), err)
	}
	c.plan.Bytes += info.Size
	return nil
}

// removable asks whether a move can empty a folder: of one name for all in it, or of each.
func (c *counter) removable(folder *counted, name string, each bool) {
	if c.plan.Spec.Mode != transfer.Move || c.plan.Unremovable != "" || folder.asked && !each {
		return
	}
	folder.asked = true
	if folder.dir.CanRemove(name, true) != nil {
		c.plan.Unremovable = tree.Join(folder.dir.Path(), name)
	}
}

func (c *counter) Leave(folder *counted) error { return folder.dir.Close() }

// counted is a folder being counted.
type counted struct {
	dir    endpoint.Dir
	sticky bool
	asked  bool // whether its contents can be removed
}
