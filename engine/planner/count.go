package planner

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

func countTree(ctx context.Context, source *Source, plan *Plan) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, source.Parallel))
	c := &counter{ctx: ctx, move: plan.Spec.Mode == transfer.Move, avoid: source.Avoid, told: source.Amiss, group: group, plan: plan}
	err := tree.Walk[*counted](ctx, &source.Root, c, source.Parallel)
	if others := group.Wait(); err == nil || ctx.Err() != nil && others != nil {
		err = others // the walk was only told to stop
	}
	return err
}

// counter is the Visitor that fills a plan. Names are looked at in batches, of which as many are under way as the group
// allows; whoever finds no place in it does the work itself.
type counter struct {
	ctx   context.Context
	move  bool
	avoid *endpoint.Info
	group *errgroup.Group

	mu   sync.Mutex // guards plan, and is held while told is called
	plan *Plan
	told func(error) // nil: what is amiss ends the count
}

// counted is a folder being counted.
type counted struct {
	dir    endpoint.Dir
	sticky bool
	names  []endpoint.Entry // not yet under way; by the one goroutine that lists the folder
	asked  bool             // whether its contents can be removed
	busy   sync.WaitGroup
}

// batch is how many names one goroutine looks at.
const batch = 16

func (c *counter) Enter(parent *counted, name string, dir endpoint.Dir, info endpoint.Info) (*counted, error) {
	c.mu.Lock()
	c.plan.Folders++
	c.plan.Inodes++
	c.mu.Unlock()
	if c.move && parent != nil { // any of them may be a mount point
		c.askRemovable(parent, name)
	}
	if c.avoid != nil && info.Device == c.avoid.Device && info.Inode == c.avoid.Inode {
		dir.Close()
		return nil, failure.New(failure.DestinationInsideSource, dir.Path(),
			"The destination lies inside the source: "+dir.Path())
	}
	return &counted{dir: dir, sticky: info.Mode&0o1000 != 0}, nil
}

func (c *counter) Entry(f *counted, entry endpoint.Entry) error {
	if c.move && (!f.asked || f.sticky) { // in a sticky folder it depends on whose each file is
		f.asked = true
		c.askRemovable(f, entry.Name)
	}
	f.names = append(f.names, entry)
	if len(f.names) < batch {
		return nil
	}
	return c.flush(f)
}

func (c *counter) askRemovable(f *counted, name string) {
	if f.dir.CanRemove(name, true) == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plan.Unremovable == "" {
		c.plan.Unremovable = tree.Join(f.dir.Path(), name)
	}
}

func (c *counter) flush(f *counted) error {
	names := f.names
	f.names = nil
	if len(names) == 0 {
		return nil
	}
	f.busy.Add(1)
	do := func() error {
		defer f.busy.Done()
		return c.add(f, names)
	}
	if c.group.TryGo(do) {
		return nil
	}
	return do()
}

// Amiss lets the count go on without a name, where somebody wants to know of all that is amiss and the rest can be counted.
func (c *counter) Amiss(err error) error {
	switch failure.CodeOf(err) {
	case failure.SourcePermissionDenied, failure.UnsupportedFileType, failure.SourceChanged, failure.IOError:
	default:
		return err
	}
	if c.told == nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told(err)
	return nil
}

// askReadable is for those who won't read: whoever does finds out by himself.
func (c *counter) askReadable(dir endpoint.Dir, name string) {
	if c.told == nil || dir.CanRead(name) == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan.unreadable(tree.Join(dir.Path(), name))
}

func (c *counter) add(f *counted, names []endpoint.Entry) error {
	var files, links, bytes, least, inodes int64
	for _, entry := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if entry.Type == endpoint.Symlink {
			files++
			links++
			inodes++
			continue
		}
		info, err := infoOf(f.dir, entry)
		if err != nil {
			if err := c.Amiss(err); err != nil {
				return err
			}
			continue
		}
		c.askReadable(f.dir, entry.Name)
		files++
		bytes += info.Size
		if info.Links <= 1 {
			least += leastOf(info)
			inodes++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan.Files += files
	c.plan.Symlinks += links
	c.plan.Bytes += bytes
	c.plan.Least += least
	c.plan.Inodes += inodes
	return nil
}

func infoOf(dir endpoint.Dir, entry endpoint.Entry) (endpoint.Info, error) {
	if entry.Info != nil {
		return *entry.Info, nil
	}
	info, err := dir.Lstat(entry.Name)
	if err != nil {
		return info, tree.AtListed("stat", tree.Join(dir.Path(), entry.Name), err)
	}
	return info, nil
}

// leastOf is what a file takes without its holes. Some storages never say what is allocated: there it is the whole.
func leastOf(info endpoint.Info) int64 {
	if info.Allocated == 0 {
		return info.Size
	}
	return min(info.Size, info.Allocated)
}

// Leave waits for those who still look at names of the folder.
func (c *counter) Leave(f *counted) error {
	err := c.flush(f)
	f.busy.Wait()
	f.dir.Close()
	return err
}

var (
	_ tree.Visitor[*counted] = (*counter)(nil)
	_ tree.Tolerant          = (*counter)(nil)
)
