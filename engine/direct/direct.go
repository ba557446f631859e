// Package direct copies a file or a folder, file by file, into a staging folder. It knows nothing of strategies, archives
// or thresholds, it never gives anything its final name, and it never alters the source.
package direct

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Sink takes the record of each name as it is done; that of a folder after those of all it holds. It may be called by
// several goroutines.
type Sink interface {
	Add(record manifest.Record) error
}

// Options is how to copy.
type Options struct {
	Parallel int  // files in flight at once, at least 1
	Hash     bool // hash each file as it is read
	SyncEach bool // make each file and folder durable by itself
	Sink     Sink
	Count    func(files, bytes int64) // told what was done since it was last called, by several goroutines
}

// Copy copies root into data, under its own name. The mode and modification time of root's own folder are left to the
// caller, since a folder that its owner can't write to can't be renamed any more.
func Copy(ctx context.Context, root *tree.Root, data endpoint.Dir, options Options) error {
	if root.Folder == nil {
		c := copier{options: options}
		return c.file(ctx, task{from: root.Parent, to: data, name: root.Name, path: root.Name})
	}
	return copyTree(ctx, root, data, options)
}

// copyTree walks in one goroutine, which makes the folders, while others copy the files.
func copyTree(ctx context.Context, root *tree.Root, data endpoint.Dir, options Options) error {
	group, ctx := errgroup.WithContext(ctx)
	tasks := make(chan task, 2*options.Parallel)
	for range options.Parallel {
		group.Go(func() error {
			c := copier{options: options}
			for t := range tasks {
				if err := c.run(ctx, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(tasks)
		return tree.Walk(ctx, root, &builder{ctx: ctx, options: options, data: data, tasks: tasks})
	})
	err := group.Wait()
	for t := range tasks { // what a failure left, so that its folders are closed
		t.folder.abandon()
	}
	return err
}

// task is a file or symbolic link to copy.
type task struct {
	folder   *folder // nil when there is no tree
	from, to endpoint.Dir
	name     string
	path     string // relative, as in the manifest
	link     bool
}

// builder is the Visitor that makes the folders and hands out the tasks.
type builder struct {
	ctx     context.Context
	options Options
	data    endpoint.Dir
	tasks   chan<- task
}

func (b *builder) Enter(parent *folder, name string, from endpoint.Dir, info endpoint.Info) (*folder, error) {
	f := &folder{options: &b.options, parent: parent, name: name, path: name, info: info, from: from, in: b.data}
	if parent != nil {
		f.in, f.path = parent.to, parent.path+"/"+name
	}
	if err := f.make(); err != nil {
		from.Close()
		return nil, err
	}
	f.users.Store(1)
	if parent != nil {
		parent.users.Add(1)
	}
	return f, nil
}

func (b *builder) Entry(f *folder, entry endpoint.Entry) error {
	f.users.Add(1)
	t := task{folder: f, from: f.from, to: f.to, name: entry.Name, path: f.path + "/" + entry.Name,
		link: entry.Type == endpoint.Symlink}
	select {
	case b.tasks <- t:
		return nil
	case <-b.ctx.Done():
		f.abandon()
		return b.ctx.Err()
	}
}

func (b *builder) Leave(f *folder) error {
	if b.ctx.Err() != nil {
		f.abandon()
		return nil
	}
	return f.release()
}

// copier copies one name after the other; it holds what can be used again.
type copier struct {
	options Options
	buffer  []byte
}

func (c *copier) run(ctx context.Context, t task) error {
	if err := ctx.Err(); err != nil {
		t.folder.abandon()
		return err
	}
	do := c.file
	if t.link {
		do = c.symlink
	}
	if err := do(ctx, t); err != nil {
		t.folder.abandon()
		return err
	}
	return t.folder.release()
}

func (c *copier) symlink(_ context.Context, t task) error {
	source, destination := tree.Join(t.from.Path(), t.name), tree.Join(t.to.Path(), t.name)
	info, err := t.from.Lstat(t.name)
	if err != nil {
		return tree.AtListed("stat", source, err)
	}
	record := manifest.Of(t.path, info)
	if record.Target, err = t.from.Readlink(t.name); err != nil {
		return tree.AtListed("read link", source, err)
	}
	if err := t.to.Symlink(record.Target, t.name); err != nil {
		return failure.AtDestination("make link", destination, err)
	}
	if err := t.to.SetModTime(t.name, info.ModAt); err != nil {
		return failure.AtDestination("set time", destination, err)
	}
	c.options.Count(1, 0)
	return failure.AtDestination("record", destination, c.options.Sink.Add(record))
}

var _ tree.Visitor[*folder] = (*builder)(nil)
