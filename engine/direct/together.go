package direct

import (
	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// goTogether finds out which side takes many small files at once.
func (c *copier) goTogether(source endpoint.Dir) {
	if reader, ok := source.(endpoint.BulkReader); ok {
		c.reads = reader.ReadLimits()
		c.readCalls = make(chan struct{}, max(1, c.reads.Calls))
		c.batch = max(c.batch, c.reads.Items)
	}
	if writer, ok := c.data.(endpoint.BulkWriter); ok && writer.WriteLimits().Items > 0 {
		c.bulk = newBulkWriting(c, writer)
		c.batch = max(c.batch, c.bulk.limits.Items)
	}
}

// bundle is what one goroutine hands over together, of one folder: small files, each read as a whole, and symbolic links.
type bundle struct {
	*copier
	folder  *folder
	share   *share
	files   []string // not yet read, where the source reads many at once
	unread  int64    // bytes that they have, as far as the listing told
	items   []endpoint.Item
	records []manifest.Record
	buffer  []byte // what the items' data lies in
}

// together copies names of one folder with as few questions as the sides allow. What doesn't fit goes by itself.
func (c *copier) together(f *folder, names []endpoint.Entry) error {
	b := &bundle{copier: c, folder: f, share: &share{sink: c.options.Sink, names: names}}
	if c.bulk != nil {
		select {
		case c.bulk.bundles <- struct{}{}:
			defer func() { <-c.bulk.bundles }()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		buffer := c.bulk.buffers.Get().(*[]byte)
		defer func() { *buffer = b.buffer[:0]; c.bulk.buffers.Put(buffer) }()
		b.buffer = *buffer
	}
	for len(b.share.names) > 0 {
		entry := b.share.names[0]
		b.share.names = b.share.names[1:]
		if err := b.entry(entry); err != nil {
			return err
		}
	}
	if err := b.read(); err != nil {
		return err
	}
	if err := b.write(); err != nil {
		return err
	}
	return failure.AtDestination("record", f.path, b.share.flush())
}

func (b *bundle) entry(entry endpoint.Entry) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if taken, err := b.folder.takenOver(entry.Name); taken || err != nil {
		return err
	}
	switch {
	case entry.Type == endpoint.Symlink:
		return b.link(entry.Name)
	case b.reads.Items > 0:
		return b.want(entry)
	default:
		return b.one(entry.Name)
	}
}

// want has a file read with others. What is left of the names is for whoever is free, once there is enough to be read.
func (b *bundle) want(entry endpoint.Entry) error {
	b.files = append(b.files, entry.Name)
	if entry.Info != nil && entry.Info.Size <= b.reads.Bytes { // larger ones go by themselves
		b.unread += entry.Info.Size
	}
	if b.unread < b.reads.Bytes && len(b.files) < b.reads.Items {
		return nil
	}
	b.handOn(b.folder, b.share)
	return b.read()
}

func (b *bundle) link(name string) error {
	if b.bulk == nil {
		return b.symlink(b.folder, name, b.share)
	}
	record, err := b.folder.readLink(name)
	if err != nil {
		return err
	}
	return b.add(record, nil)
}

// one reads a file of a source that gives one at a time.
func (b *bundle) one(name string) error {
	f, err := b.openSource(b.folder, name, b.share)
	if err != nil {
		return err
	}
	defer f.in.Close()
	if !b.fits(f.record) {
		return f.copy(b.folder, b.share)
	}
	if err := b.room(f.record.Size); err != nil {
		return err
	}
	begin := len(b.buffer)
	data := b.buffer[begin : begin+int(f.record.Size)]
	n, err := f.in.ReadAt(data, 0)
	if n < len(data) {
		return f.readShort(err)
	}
	if err := f.unchanged(); err != nil {
		return err
	}
	b.buffer = b.buffer[:begin+n]
	return b.add(f.record, data)
}

// fits reports whether a file is handed over with others: a further name of a file is linked, and a sparse one is better
// off by itself.
func (b *bundle) fits(record manifest.Record) bool {
	return b.bulk != nil && record.Size <= b.bulk.limits.Bytes && !(record.Linked && b.options.Keep.Links != nil)
}

// room makes sure that the buffer has place for so many bytes more. A bundle that is full goes first, and what is left of
// the names to whoever is free.
func (b *bundle) room(size int64) error {
	if int64(len(b.buffer))+size <= int64(cap(b.buffer)) {
		return nil
	}
	b.handOn(b.folder, b.share)
	return b.write()
}

// read reads the files that have come together at the source.
func (b *bundle) read() error {
	if len(b.files) == 0 {
		return nil
	}
	names, bytes, rest := b.files, b.unread, []string(nil)
	b.files, b.unread = nil, 0
	select {
	case b.readCalls <- struct{}{}:
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	reader := tree.Bare(b.folder.from).(endpoint.BulkReader) // as the top is
	err := reader.ReadAll(b.ctx, names, bytes, b.options.Keep.Xattrs, func(i int, whole endpoint.Whole) error {
		own, err := b.take(names[i], whole)
		if own {
			rest = append(rest, names[i])
		}
		return err
	})
	<-b.readCalls
	if err != nil {
		return failure.AtSource("read", b.folder.from.Path(), err)
	}
	for _, name := range rest {
		if err := b.file(b.folder, name, b.share); err != nil {
			return err
		}
	}
	return nil
}

// take takes a file that was read, and reports true for one that has to be copied by itself.
func (b *bundle) take(name string, whole endpoint.Whole) (own bool, err error) {
	path := tree.Join(b.folder.from.Path(), name)
	if whole.Err != nil {
		return false, tree.AtListed("read", path, whole.Err)
	}
	if whole.Before.Type != endpoint.File {
		return false, tree.Unsupported(path)
	}
	record := manifest.Of(b.folder.below(name), whole.Before)
	record.Xattrs = whole.Xattrs
	if whole.TooLarge || b.bulk != nil && !b.fits(record) || record.Linked && b.options.Keep.Links != nil {
		return true, nil
	}
	if err := record.Still(whole.After, path); err != nil {
		return false, err
	}
	if int64(len(whole.Data)) != record.Size {
		return false, tree.Changed(path, "its size changed", nil)
	}
	return false, b.keep(record, whole.Data)
}

// keep keeps data for the bundle, or writes it where files are written one by one.
func (b *bundle) keep(record manifest.Record, data []byte) error {
	if b.bulk == nil {
		return b.put(record, data)
	}
	if err := b.room(record.Size); err != nil {
		return err
	}
	begin := len(b.buffer)
	b.buffer = append(b.buffer, data...)
	return b.add(record, b.buffer[begin:])
}

// put writes one file.
func (b *bundle) put(record manifest.Record, data []byte) error {
	b.sum(&record, data)
	to, err := b.folder.opened()
	if err != nil {
		return err
	}
	_, name := tree.Split(record.Path)
	if err := b.options.file(to, name, data, record); err != nil {
		return err
	}
	b.options.Count(1, record.Size)
	return failure.AtDestination("record", to.Path(), b.share.done(record))
}

func (b *bundle) sum(record *manifest.Record, data []byte) {
	if b.options.Hash && record.Type == endpoint.File {
		record.Hashed, record.Digest = true, xxhash.Sum64(data)
	}
}

// add adds a name to the bundle.
func (b *bundle) add(record manifest.Record, data []byte) error {
	b.sum(&record, data)
	b.items = append(b.items, b.options.Keep.Item(record, data))
	b.records = append(b.records, record)
	if len(b.items) < b.bulk.limits.Items {
		return nil
	}
	return b.write()
}

// write hands the bundle over. What it holds is recorded once it is there.
func (b *bundle) write() error {
	if len(b.items) == 0 {
		return nil
	}
	if err := b.bulk.write(b.items, b.records); err != nil {
		return err
	}
	b.items, b.records, b.buffer = b.items[:0], b.records[:0], b.buffer[:0]
	return nil
}
