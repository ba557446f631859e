package shelltools

import (
	"archive/tar"
	"context"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
)

// tarWriter is an endpoint.BulkWriter.
type tarWriter struct{ f *folder }

func (tarWriter) WriteLimits() endpoint.BulkLimits { return limits }

// WriteAll has three programs do it, of which the last two are left out where there is nothing for them: one makes files
// and links, the second gives Folders their attributes, after all that changes those, and the third syncs.
// What tar can't bring is errors.ErrUnsupported, with nothing done; so is sync where Tools.Sync is empty.
func (w tarWriter) WriteAll(ctx context.Context, items []endpoint.Item, sync bool) error {
	if len(items) == 0 {
		return nil
	}
	if err := w.f.host.accepts(items, sync); err != nil {
		return err
	}
	if err := w.f.writable(ctx, items, w.f.host.tools.Tar == "bsd"); err != nil {
		return err
	}
	others, folders := parted(items)
	script := map[string]string{"gnu": unpackGNU, "bsd": unpackBSD, "busybox": unpackBusybox}[w.f.host.tools.Tar]
	err := run(ctx, w.f.host.starter, script, func(out io.Writer) error {
		if err := w.f.enter(out, ways(items)); err != nil {
			return err
		}
		return w.f.host.pax(out, others)
	}, discard)
	if err != nil {
		return w.f.blame(ctx, items, err)
	}
	if err := w.attributes(ctx, items, folders); err != nil {
		return err
	}
	return w.f.sync(ctx, items, sync)
}

// attributes gives folders theirs, and sets what this tar leaves out.
func (w tarWriter) attributes(ctx context.Context, items, folders []endpoint.Item) error {
	switch w.f.host.tools.Tar {
	case "busybox":
		return w.f.attributes(ctx, items, notByBusybox)
	case "bsd":
		if err := w.f.attributes(ctx, items, notByBSD); err != nil {
			return err
		}
		return w.folders(ctx, items, folders, foldersBSD)
	default:
		return w.folders(ctx, items, folders, foldersGNU)
	}
}

// notByBusybox: it knows the times of neither links nor folders that are there, and none that ustar's octal can't hold.
func notByBusybox(item endpoint.Item) (mode, time bool) {
	seconds := item.ModAt.Unix()
	return item.Type == endpoint.Folder, item.Type != endpoint.File || seconds < 0 || seconds >= 1<<33
}

// notByBSD: without the owner it takes setuid and setgid away.
func notByBSD(item endpoint.Item) (mode, time bool) {
	return item.Type == endpoint.File && item.SetMode && item.Mode&0o6000 != 0, false
}

func (w tarWriter) folders(ctx context.Context, items, folders []endpoint.Item, script string) error {
	if len(folders) == 0 {
		return nil
	}
	err := run(ctx, w.f.host.starter, script, func(out io.Writer) error {
		if err := w.f.enter(out, nil); err != nil {
			return err
		}
		return w.f.host.pax(out, folders)
	}, discard)
	return w.f.failed(ctx, indexOf(items, endpoint.Folder), "set attributes", err)
}

// accepts refuses what WriteAll can't do for items.
func (h *host) accepts(items []endpoint.Item, sync bool) error {
	if sync && h.tools.Sync == "" {
		return unsupported("what is durable")
	}
	for _, item := range items {
		if err := carried(item); err != nil {
			return err
		}
	}
	return check(items)
}

// pax writes items as a pax stream. All names begin with "./", so that none is an option or seems absolute, and are said
// to be bytes: libarchive would translate them.
func (h *host) pax(out io.Writer, items []endpoint.Item) error {
	w := tar.NewWriter(out)
	for _, item := range items {
		if err := w.WriteHeader(h.header(item)); err != nil {
			return err
		}
		if item.Type == endpoint.File {
			if _, err := w.Write(item.Data); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

func (h *host) header(item endpoint.Item) *tar.Header {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: "./" + item.Path, Size: int64(len(item.Data)),
		Mode: int64(h.mode(item)), ModTime: item.ModAt, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"hdrcharset": "BINARY"},
	}
	switch item.Type {
	case endpoint.Symlink:
		header.Typeflag, header.Linkname, header.Mode, header.Size = tar.TypeSymlink, item.Target, 0o777, 0
	case endpoint.Folder:
		header.Typeflag, header.Name, header.Size = tar.TypeDir, header.Name+"/", 0
	}
	return header
}
