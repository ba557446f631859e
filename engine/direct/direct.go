// Package direct copies a file or a folder, file by file, into a staging folder. It knows nothing of strategies, archives
// or thresholds, it never gives anything its final name, and it never alters the source.
package direct

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
)

// Sink takes the record of each name as it is done; that of a folder after those of all it holds. It may be called by
// several goroutines.
type Sink interface {
	Add(records ...manifest.Record) error
	AddPartial(partial manifest.Partial) error
}

// Earlier is what an earlier run has left for this one.
type Earlier interface {
	// Folder opens what it left of the folder called path, nil if nothing; that of path "" stays open. Every file in it is
	// proven and recorded.
	Folder(path string) (endpoint.Dir, error)
	// Rest returns the file called path as far as it is proven, nil if that is not known.
	Rest(path string) (*Rest, error)
}

// Rest is a file that an earlier run did not finish.
type Rest struct {
	manifest.Partial
	Dir   endpoint.Dir
	Name  string
	Close func() // lets go of Dir
}

// Options is how to copy.
type Options struct {
	Parallel int  // files in flight at once, at least 1
	Batch    int  // names that one goroutine copies one after the other; Batch when 0
	Hash     bool // hash each file as it is read
	Keep     staging.Keep
	Sink     Sink
	Count    func(files, bytes int64) // told what was done since it was last called, by several goroutines
	Earlier  Earlier                  // nil when there is nothing
	// PartEvery is after how many bytes of a large file it is noted how far it is.
	PartEvery int64
	// Together hands small files over many at once, where the folders have such abilities.
	Together bool
}

// PartEvery is a good Options.PartEvery: a later run may have to do so much again, of each file under way.
const PartEvery = 64 << 20

// Batch is a good Options.Batch for a tree of many names.
const Batch = 16

// Copy copies root into data, under its own name. The mode and modification time of root's own folder are left to the
// caller, since a folder that its owner can't write to can't be renamed any more.
func Copy(ctx context.Context, root *tree.Root, data endpoint.Dir, options Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(options.Parallel)
	c := newCopier(ctx, root, data, options)
	c.group, c.stop = group, stop
	if root.Folder == nil {
		f := &folder{from: root.Parent, to: data}
		return c.openEarlier(f, func() error { return c.entries(f, []endpoint.Entry{{Name: root.Name}}) })
	}
	err := tree.Walk[*folder](ctx, root, c, options.Parallel)
	if err == nil && c.bulk != nil {
		err = c.bulk.flush()
	}
	_ = c.failed(err)
	_ = c.failed(group.Wait())
	return c.first
}

func newCopier(ctx context.Context, root *tree.Root, data endpoint.Dir, options Options) *copier {
	c := &copier{ctx: ctx, options: options, data: data, batch: cmp.Or(options.Batch, Batch), largeFrom: largeSize}
	large := largeFiles
	if root.Dir().Capabilities().Far || data.Capabilities().Far {
		c.far, c.largeFrom, large = true, farLarge, farLargeFiles
		c.unproven = semaphore.NewWeighted(farUnproven)
	}
	c.large = make(chan struct{}, large)
	if options.Together && root.Folder != nil {
		c.goTogether(root.Folder)
	}
	return c
}

// copier is the Visitor that makes the folders and copies what is in them, in batches of which as many are under way as
// the group allows; whoever finds no place in it does the work itself.
type copier struct {
	ctx     context.Context
	options Options
	data    endpoint.Dir
	group   *errgroup.Group
	stop    func() // ends ctx
	failing sync.Once
	first   error // the one that made all others stop
	batch   int   // how many names are copied by one goroutine
	far     bool  // a side is on another host
	// largeFrom is the size from which on a file is large, and large has one for each under way: each takes memory and
	// several requests.
	largeFrom int64
	large     chan struct{}
	unproven  *semaphore.Weighted // bytes of files under way; nil: as many as there are
	bulk      *bulkWriting        // nil: what is small is written one by one
	reads     endpoint.BulkLimits // of the source's bulk ability; no Items: what is small is read one by one
	readCalls chan struct{}       // one for each under way
	noClone   atomic.Bool         // the storages share no blocks
	noRange   atomic.Bool         // nor do they copy by themselves
}

// failed notes the first error and stops what else is under way.
func (c *copier) failed(err error) error {
	if err != nil {
		c.failing.Do(func() { c.first = err; c.stop() })
	}
	return err
}

func (c *copier) Enter(parent *folder, name string, from endpoint.Dir, info endpoint.Info) (*folder, error) {
	f := &folder{parent: parent, name: name, path: name, from: from, in: c.data}
	if parent != nil {
		f.in, f.path = nil, parent.path+"/"+name
		if c.bulk == nil { // else whoever needs it open asks for it
			f.in = parent.to
		}
	}
	f.record = manifest.Of(f.path, info)
	make := f.make
	if c.bulk != nil {
		make = func() error { return nil } // with what is in it
	}
	if err := c.openEarlier(f, make); err != nil {
		from.Close()
		return nil, err
	}
	return f, nil
}

// openEarlier opens what an earlier run left of a folder, and goes on.
func (c *copier) openEarlier(f *folder, next func() error) (err error) {
	if c.options.Earlier != nil {
		if f.earlier, err = c.options.Earlier.Folder(f.path); err != nil {
			return failure.AtDestination("open what an earlier run left of", f.path, err)
		}
	}
	if err = next(); err != nil && f.earlier != nil {
		f.earlier.Close()
	}
	return err
}

func (c *copier) Entry(f *folder, entry endpoint.Entry) error {
	f.names = append(f.names, entry)
	if len(f.names) < c.batch {
		return nil
	}
	return c.flush(f)
}

// flush lets somebody copy the names that have come together.
func (c *copier) flush(f *folder) error {
	names := f.names
	f.names = nil
	if len(names) == 0 {
		return nil
	}
	f.busy.Add(1)
	do := func() error {
		defer f.busy.Done()
		return c.failed(c.entries(f, names))
	}
	if c.far { // a copy is waiting: the one who finds the next names mustn't be the one who waits
		c.group.Go(do)
		return nil
	}
	if c.group.TryGo(do) {
		return nil
	}
	return do()
}

// Leave waits for what others still copy into the folder.
func (c *copier) Leave(f *folder) error {
	defer f.close()
	err := c.flush(f)
	f.busy.Wait()
	if err != nil {
		return err
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.finish(f)
}

// entries copies names of one folder, and records them side by side.
func (c *copier) entries(f *folder, names []endpoint.Entry) error {
	if c.bulk != nil || c.reads.Items > 0 {
		return c.together(f, names)
	}
	work := share{sink: c.options.Sink, names: names}
	for len(work.names) > 0 {
		entry := work.names[0]
		work.names = work.names[1:]
		if err := c.entry(f, entry, &work); err != nil {
			return err
		}
	}
	return failure.AtDestination("record", f.path, work.flush())
}

// handOn lets somebody else copy what is left of a share, if anybody is free: a large file takes its time.
func (c *copier) handOn(f *folder, work *share) {
	names := work.names
	if len(names) == 0 {
		return
	}
	f.busy.Add(1)
	taken := c.group.TryGo(func() error {
		defer f.busy.Done()
		return c.failed(c.entries(f, names))
	})
	if !taken {
		f.busy.Done()
		return
	}
	work.names = nil
}

// share is what one goroutine does of a folder: names to copy, and the records of those that are done, until they are
// handed on.
type share struct {
	names []endpoint.Entry
	sink  Sink
	wait  []manifest.Record
	bytes int64 // of the files in wait
}

// done keeps a record back, unless a run that is killed would lose much by it, or other names build on this one.
func (s *share) done(record manifest.Record) error {
	const much = 1 << 20
	s.wait = append(s.wait, record)
	s.bytes += record.Size
	if s.bytes >= much || record.Linked {
		return s.flush()
	}
	return nil
}

func (s *share) flush() error {
	if len(s.wait) == 0 {
		return nil
	}
	err := s.sink.Add(s.wait...)
	s.wait, s.bytes = s.wait[:0], 0
	return err
}

func (c *copier) entry(f *folder, entry endpoint.Entry, work *share) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if taken, err := f.takenOver(entry.Name); taken || err != nil {
		return err
	}
	if entry.Type == endpoint.Symlink {
		return c.symlink(f, entry.Name, work)
	}
	return c.file(f, entry.Name, work)
}

// takenOver takes a name from what an earlier run has left, where it is recorded already; false where it isn't.
func (f *folder) takenOver(name string) (bool, error) {
	if f.earlier == nil {
		return false, nil
	}
	to, err := f.opened()
	if err != nil {
		return false, err
	}
	err = f.earlier.Rename(name, to, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, failure.AtDestination("take over", tree.Join(to.Path(), name), err)
}

func (f *folder) readLink(name string) (manifest.Record, error) {
	source := tree.Join(f.from.Path(), name)
	info, err := f.from.Lstat(name)
	if err != nil {
		return manifest.Record{}, tree.AtListed("stat", source, err)
	}
	record := manifest.Of(f.below(name), info)
	record.Target, err = f.from.Readlink(name)
	if err != nil {
		return manifest.Record{}, tree.AtListed("read link", source, err)
	}
	return record, nil
}

func (c *copier) symlink(f *folder, name string, work *share) error {
	record, err := f.readLink(name)
	if err != nil {
		return err
	}
	if err := makeLink(f.to, name, record); err != nil {
		return err
	}
	c.options.Count(1, 0)
	return failure.AtDestination("record", f.to.Path(), work.done(record))
}

var _ tree.Visitor[*folder] = (*copier)(nil)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
