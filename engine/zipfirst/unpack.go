package zipfirst

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Archive is an archive to unpack.
type Archive struct {
	endpoint.Reader
	Path string // for messages
	// Manifest opens what Pack recorded, from its beginning.
	Manifest func() (io.ReadCloser, error)
}

// Unpack makes in data what the manifest lists, of what the archive holds and what Done does; names come from the manifest
// alone, where none leads out. It ends with archive_error where the archive holds anything else. Bytes are not summed up:
// whoever wants them proven reads what was unpacked. The mode and time of the top folder are left to the caller.
func Unpack(ctx context.Context, archive Archive, data endpoint.Dir, o Options) error {
	u, err := newUnpacker(archive.Reader, archive.Path, o)
	if err != nil {
		return err
	}
	if err := u.deal(ctx, archive, data); err != nil || o.Done == nil {
		return err
	}
	if err := u.takeOver(ctx, archive, data); err != nil {
		return err
	}
	return u.finishFolders(ctx, archive, data)
}

// deal unpacks all that the archive holds.
func (u *unpacker) deal(ctx context.Context, archive Archive, data endpoint.Dir) error {
	recorded, err := archive.Manifest()
	if err != nil {
		return failure.AtDestination("open manifest", archive.Path, err)
	}
	defer recorded.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(u.options.Parallel)
	d := dealer{ctx: ctx, unpacker: u, group: group, top: newMade(nil, ""), unfinished: map[string]*made{}}
	d.top.openAs(data)
	err = d.all(manifest.NewReader(recorded))
	others := group.Wait()
	if others != nil {
		err = others // the dealer was only told to stop, or to make an end of what can't be finished
	}
	return errors.Join(err, d.abandon())
}

// dealer hands out what the manifest lists. It remembers the folders of which not everything has come yet: they are few,
// since each was open while it was packed.
type dealer struct {
	ctx        context.Context
	unpacker   *unpacker
	group      *errgroup.Group
	top        *made // the data folder itself
	unfinished map[string]*made
	batch      []entry
}

// entry is a file or symbolic link to unpack, or a folder of which all has come.
type entry struct {
	record manifest.Record
	folder *made // the one it is in, or the folder itself
	until  int64 // see runs
}

func (d *dealer) all(records *manifest.Reader) error {
	for {
		record, err := records.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, manifest.ErrTruncated) {
			break
		}
		if err != nil {
			return archiveFailed("read manifest", d.unpacker.path, err)
		}
		if err := d.ctx.Err(); err != nil {
			return err
		}
		d.take(record)
	}
	d.send()
	for path := range d.unfinished {
		return refused(d.unpacker.path, "the manifest doesn't list a folder that it lists contents of: "+path)
	}
	return nil
}

func (d *dealer) take(record manifest.Record) {
	switch {
	case record.Type == endpoint.Folder:
		folder := d.folder(record.Path)
		folder.record = record
		delete(d.unfinished, record.Path)
		d.batch = append(d.batch, entry{record: record, folder: folder})
	case record.Packed != nil:
		above, _ := tree.Split(record.Path)
		folder := d.folder(above)
		folder.users.Add(1)
		d.batch = append(d.batch, entry{record: record, folder: folder})
	}
	if len(d.batch) >= batchSize {
		d.send()
	}
}

// folder returns the folder called path, which is made when it is first used.
func (d *dealer) folder(path string) *made {
	if path == "" {
		return d.top
	}
	if f, ok := d.unfinished[path]; ok {
		return f
	}
	above, name := tree.Split(path)
	f := newMade(d.folder(above), name)
	d.unfinished[path] = f
	return f
}

// send waits until somebody is free to unpack the batch.
func (d *dealer) send() {
	batch := d.batch
	d.batch = nil
	d.group.Go(func() error { return d.unpacker.all(d.ctx, batch) })
}

// abandon lets go of what is left after a failure.
func (d *dealer) abandon() error {
	var err error
	for _, e := range d.batch {
		err = errors.Join(err, e.folder.leave(d.unpacker, false))
	}
	for _, f := range d.unfinished {
		err = errors.Join(err, f.leave(d.unpacker, false))
	}
	return err
}

// unpacker unpacks entries. It may be used by several goroutines.
type unpacker struct {
	options Options
	archive endpoint.Reader
	path    string
	size    int64
	check   bool          // sums up what is unpacked
	large   chan struct{} // one for each large file that is not copied by the storage
	noRange atomic.Bool   // the storage doesn't copy by itself
}

func newUnpacker(archive endpoint.Reader, path string, o Options) (*unpacker, error) {
	info, err := archive.Info()
	if err != nil {
		return nil, failure.AtDestination("stat archive", path, err)
	}
	return &unpacker{options: o, archive: archive, path: path, size: info.Size, large: make(chan struct{}, largeFiles)}, nil
}

// all unpacks a batch, in the archive's order. Every entry leaves its folder, whatever becomes of it.
func (u *unpacker) all(ctx context.Context, batch []entry) error {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	w := window{archive: u.archive, path: u.path, buffer: buffer[:]}
	runs(batch)
	err := ctx.Err()
	for i := range batch {
		e := &batch[i]
		if err == nil && e.record.Type != endpoint.Folder {
			err = u.entry(ctx, &w, e)
		}
		if left := e.folder.leave(u, err == nil); err == nil {
			err = left
		}
	}
	return err
}
