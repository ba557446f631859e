package zipfirst

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Archive is an archive to unpack.
type Archive struct {
	io.ReaderAt
	Size int64
	Path string // for messages
	// Manifest opens what Pack recorded, from its beginning.
	Manifest func() (io.ReadCloser, error)
}

// Unpack unpacks an archive into data. Names come from the archive and must be those of the manifest, in its order, where
// modes and times come from; a name that leads out of data is refused with archive_error. The mode and time of the top
// folder are left to the caller.
func Unpack(ctx context.Context, archive Archive, data endpoint.Dir, o Options) error {
	reader, err := zip.NewReader(archive, archive.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are judged one by one
		return archiveFailed("open archive", archive.Path, err)
	}
	folders, err := unpackAll(ctx, archive, reader.File, data, o)
	if err != nil {
		return err
	}
	return finishFolders(ctx, archive, folders, data, o)
}

// unpackAll makes the folders in one goroutine, which also hands out the files, so that a file's folder is there before
// it. It returns how many folders there are.
func unpackAll(ctx context.Context, archive Archive, files []*zip.File, data endpoint.Dir, o Options) (int, error) {
	recorded, err := archive.Manifest()
	if err != nil {
		return 0, failure.AtDestination("open manifest", archive.Path, err)
	}
	defer recorded.Close()
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []entry, o.Parallel)
	for range o.Parallel {
		group.Go(func() error {
			u := unpacker{ctx: ctx, options: o, archive: archive.Path, data: data.Path(), find: tree.NewFinder(data)}
			defer u.find.Close()
			return u.all(chunks)
		})
	}
	d := dealer{ctx: ctx, archive: archive.Path, data: data.Path(), records: manifest.NewReader(recorded),
		find: tree.NewFinder(data), chunks: chunks}
	group.Go(func() error {
		defer close(chunks)
		defer d.find.Close()
		return d.all(files)
	})
	err = group.Wait()
	return d.folders, err
}

// entry is a file or symbolic link of the archive, with what the manifest says of it.
type entry struct {
	file   *zip.File
	record manifest.Record
}

// chunk is how many entries go to an unpacker at once: neighbours share folders.
const chunk = 32

// dealer hands out entries.
type dealer struct {
	ctx     context.Context
	archive string
	data    string // the path of what is being made
	records *manifest.Reader
	find    *tree.Finder
	chunks  chan<- []entry
	folders int
}

func (d *dealer) all(files []*zip.File) error {
	batch := make([]entry, 0, chunk)
	for _, file := range files {
		if folder, ok := strings.CutSuffix(file.Name, "/"); ok {
			if err := d.folder(folder); err != nil {
				return err
			}
			continue
		}
		record, err := d.record(file.Name)
		if err != nil {
			return err
		}
		if batch = append(batch, entry{file, record}); len(batch) == chunk {
			if err := d.send(batch); err != nil {
				return err
			}
			batch = make([]entry, 0, chunk)
		}
	}
	return d.send(batch)
}

func (d *dealer) send(batch []entry) error {
	select {
	case d.chunks <- batch:
		return nil
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
}

func (d *dealer) folder(path string) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	d.folders++
	if !tree.Local(path) {
		return refused(d.archive, fmt.Sprintf("it holds a name that leads out of it, %q", path))
	}
	dir, name, err := d.find.Find(path)
	if err != nil {
		return failure.AtDestination("find folder", tree.Join(d.data, path), err)
	}
	return failure.AtDestination("make folder", tree.Join(dir.Path(), name), dir.Mkdir(name, 0o700))
}

// record returns the manifest's next file or link, which must be the one called name.
func (d *dealer) record(name string) (manifest.Record, error) {
	if !tree.Local(name) {
		return manifest.Record{}, refused(d.archive, fmt.Sprintf("it holds a name that leads out of it, %q", name))
	}
	for {
		record, err := d.records.Next()
		if err != nil {
			return record, refused(d.archive, fmt.Sprintf("it holds %q, which the manifest doesn't list", name))
		}
		if record.Type == endpoint.Folder {
			continue
		}
		if record.Path != name {
			return record, refused(d.archive, fmt.Sprintf("it holds %q where the manifest lists %q", name, record.Path))
		}
		return record, nil
	}
}

// finishFolders gives folders their modes and times, in the manifest's order: what a folder holds comes before it.
func finishFolders(ctx context.Context, archive Archive, folders int, data endpoint.Dir, o Options) error {
	recorded, err := archive.Manifest()
	if err != nil {
		return failure.AtDestination("open manifest", archive.Path, err)
	}
	defer recorded.Close()
	records := manifest.NewReader(recorded)
	find := tree.NewFinder(data)
	defer find.Close()
	for folders > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		record, err := records.Next()
		if err != nil {
			return refused(archive.Path, "it holds more folders than the manifest lists")
		}
		if record.Type != endpoint.Folder {
			continue
		}
		folders--
		if err := finishFolder(find, record, o); err != nil {
			return failure.AtDestination("finish folder", tree.Join(data.Path(), record.Path), err)
		}
	}
	return nil
}

func finishFolder(find *tree.Finder, record manifest.Record, o Options) error {
	parent, name, err := find.Find(record.Path)
	if err != nil {
		return err
	}
	if o.SyncEach {
		if err := syncFolder(parent, name); err != nil {
			return err
		}
	}
	if folder, _ := tree.Split(record.Path); folder == "" { // the top one
		return nil
	}
	return errors.Join(parent.SetMode(name, record.Mode), parent.SetModTime(name, record.ModAt))
}

func syncFolder(parent endpoint.Dir, name string) error {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
