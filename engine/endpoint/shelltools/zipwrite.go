package shelltools

import (
	"context"
	"crypto/rand"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
)

// zipWriter is an endpoint.BulkWriter for trees that unzip can carry: see zippable. unzip reads no archive from its input,
// so that one goes through the folder first, under a name of its own, and is removed whatever happens.
type zipWriter struct{ f *folder }

func (zipWriter) WriteLimits() endpoint.BulkLimits { return limits }

// WriteAll tries the far host's unzip once, before anything else. What unzip can't bring, or has shown that it doesn't, is
// errors.ErrUnsupported, with nothing done; so is sync where Tools.Sync is empty.
func (w zipWriter) WriteAll(ctx context.Context, items []endpoint.Item, sync bool) error {
	if len(items) == 0 {
		return nil
	}
	if err := w.f.host.accepts(items, sync); err != nil {
		return err
	}
	exact := w.f.Capabilities().ModTimeStep < unzipStep
	for _, item := range items {
		if err := zippable(item, exact); err != nil {
			return err
		}
	}
	if err := w.f.tryUnzip(ctx); err != nil {
		return err
	}
	if err := w.f.writable(ctx, items, true); err != nil {
		return err
	}
	blame := func(err error) error { return w.f.blame(ctx, items, err) }
	if err := w.f.unzip(ctx, items, blame); err != nil {
		return err
	}
	if err := w.f.attributes(ctx, items, notByUnzip); err != nil {
		return err
	}
	return w.f.sync(ctx, items, sync)
}

// notByUnzip: folders are not in the archive.
func notByUnzip(item endpoint.Item) (mode, time bool) {
	return item.Type == endpoint.Folder, item.Type == endpoint.Folder
}

// unzip makes what items need of folders, and the files. blame explains its failure, while the archive still takes space.
func (f *folder) unzip(ctx context.Context, items []endpoint.Item, blame func(error) error) (err error) {
	files, _ := parted(items)
	archive, script := "", makeFolders
	if len(files) > 0 {
		archive, script = ".ketter-bulk-"+rand.Text()+".zip", unpackZip
		if err := f.putArchive(archive, files); err != nil {
			return &endpoint.BulkError{Op: "write", Err: err}
		}
		defer func() { err = firstError(err, f.Remove(archive)) }()
	}
	err = run(ctx, f.host.starter, script, func(out io.Writer) error {
		if err := f.enter(out, ways(items)); err != nil {
			return err
		}
		_, err := out.Write(appendLine(nil, "./"+archive))
		return err
	}, discard)
	if err != nil {
		return blame(err)
	}
	return nil
}

// putArchive writes the archive; one that it can't write whole, it removes.
func (f *folder) putArchive(name string, files []endpoint.Item) error {
	w, err := f.Create(name, 0o600)
	if err != nil {
		return err
	}
	err = f.host.zip(w, files)
	if err = firstError(err, w.Close()); err != nil {
		_ = f.Remove(name) // err is what counts
	}
	return err
}
