package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ketter/ketter/engine/direct"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/staging"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/engine/zipfirst"
)

// byArchive is the builder of ZIP_FIRST.
type byArchive struct{}

func (byArchive) method() transfer.Method { return transfer.Archive }

func (byArchive) build(ctx context.Context, r *run, sink *manifest.Writer) error {
	a := archiver{run: r, sink: sink, options: zipfirst.Options{
		Parallel: r.parallel,
		Hash:     r.spec.Verify == transfer.Checksum,
		Keep:     r.keep,
		Count:    r.watch.count,
	}}
	if r.earlier != nil {
		a.options.Done = r.earlier.kept
	}
	make := a.makeInPlace
	if r.engine.tmpDir != "" {
		make = a.makeAndSend
	}
	for _, step := range []func(context.Context) error{make, a.unpack, a.cleanUp} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// archiver makes, sends, unpacks and removes the archive of a run.
type archiver struct {
	*run
	sink    *manifest.Writer
	options zipfirst.Options
}

// makeInPlace makes the archive in the destination's staging: making it is sending it.
func (a *archiver) makeInPlace(ctx context.Context) error { return a.pack(ctx, a.stage.Dir()) }

// makeAndSend makes the archive in the folder for archives, sends it as one file, and removes it there.
func (a *archiver) makeAndSend(ctx context.Context) (err error) {
	dir, err := a.engine.openTmp()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := removeDead(ctx, dir, a.spec.Run); err != nil {
		return err
	}
	if err := enough(dir, a.archiveNeeds()); err != nil {
		return err
	}
	stage, err := staging.Create(dir, staging.Name(a.spec.Run))
	if err != nil {
		return noStaging(dir, err)
	}
	defer func() { err = joinSweep(ctx, err, stage) }()
	if err := a.pack(ctx, stage.Dir()); err != nil {
		return err
	}
	return a.send(ctx, stage.Dir())
}

func (e *Engine) openTmp() (endpoint.Dir, error) {
	dir, err := local.Open(e.tmpDir)
	return dir, failure.AtDestination("open the folder for archives", e.tmpDir, err)
}

// archiveNeeds is what the folder for archives must have free.
func (r *run) archiveNeeds() endpoint.Space {
	return endpoint.Space{Bytes: uint64(archiveSize(r)), Inodes: 3}
}

func (a *archiver) pack(ctx context.Context, dir endpoint.Dir) error {
	began := a.engine.now()
	a.watch.begin(transfer.Packing, a.plan.Files, a.plan.Bytes)
	a.watch.skip(a.earlier.done())
	path := tree.Join(dir.Path(), staging.ArchiveName)
	out, err := dir.Create(staging.ArchiveName, 0o600)
	if err != nil {
		return failure.AtDestination("create archive", path, err)
	}
	defer out.Close()
	if err := a.fill(ctx, out, path); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return failure.AtDestination("close archive", path, err)
	}
	info, err := dir.Lstat(staging.ArchiveName)
	if err != nil {
		return failure.AtDestination("stat archive", path, err)
	}
	totals := a.sink.Totals()
	return a.watch.event(ctx, transfer.EventArchiveCreated,
		fmt.Sprintf("Packed %d files into an archive of %d bytes.", totals.Files, info.Size),
		transfer.Figures{"archive_bytes": info.Size, "files": totals.Files, "bytes": totals.Bytes,
			"seconds": a.since(began)})
}

// fill packs the source, and completes the archive with its directory.
func (a *archiver) fill(ctx context.Context, out endpoint.Writer, path string) error {
	size, err := zipfirst.Pack(ctx, a.source, out, path, a.sink, a.options)
	if err != nil {
		return err
	}
	records, err := a.recorded()
	if err != nil {
		return failure.AtDestination("read manifest", path, err)
	}
	defer records.Close()
	return zipfirst.Seal(ctx, records, out, size, path)
}

// recorded opens the manifest as far as it is.
func (a *archiver) recorded() (io.ReadCloser, error) {
	if _, err := a.sink.Lines(); err != nil {
		return nil, err
	}
	return a.stage.OpenManifest()
}

// send transfers the archive as any other file is transferred, from the folder it was made in to the run's staging. Its
// files are proven when they are unpacked.
func (a *archiver) send(ctx context.Context, from endpoint.Dir) error {
	began := a.engine.now()
	info, err := from.Lstat(staging.ArchiveName)
	if err != nil {
		return failure.AtDestination("stat archive", from.Path(), err)
	}
	a.watch.begin(transfer.Sending, 1, info.Size)
	source := &tree.Root{Parent: from, Name: staging.ArchiveName, Path: from.Path(), Info: info}
	err = direct.Copy(ctx, source, a.stage.Dir(), direct.Options{Parallel: a.parallel, Keep: staging.Keep{SyncEach: a.keep.SyncEach},
		Sink: unrecorded{}, Count: a.watch.count, PartEvery: direct.PartEvery})
	if err != nil {
		return err
	}
	return a.watch.event(ctx, transfer.EventArchiveSent, fmt.Sprintf("Sent the archive of %d bytes.", info.Size),
		transfer.Figures{"archive_bytes": info.Size, "seconds": a.since(began)})
}

// unrecorded is the Sink of what is no part of the source.
type unrecorded struct{}

func (unrecorded) Add(...manifest.Record) error      { return nil }
func (unrecorded) AddPartial(manifest.Partial) error { return nil }

func (a *archiver) unpack(ctx context.Context) error {
	began := a.engine.now()
	totals := a.sink.Totals()
	a.watch.begin(transfer.Unpacking, totals.Files, totals.Bytes)
	a.watch.skip(a.earlier.done())
	dir := a.stage.Dir()
	path := tree.Join(dir.Path(), staging.ArchiveName)
	in, err := dir.Open(staging.ArchiveName)
	if err != nil {
		return failure.AtDestination("open archive", path, err)
	}
	defer in.Close()
	err = zipfirst.Unpack(ctx, zipfirst.Archive{Reader: in, Path: path, Manifest: a.recorded}, a.stage.Data(), a.options)
	if err != nil {
		return err
	}
	return a.watch.event(ctx, transfer.EventArchiveExtracted, fmt.Sprintf("Unpacked %d files.", totals.Files),
		transfer.Figures{"files": totals.Files, "bytes": totals.Bytes, "seconds": a.since(began)})
}

func (a *archiver) cleanUp(ctx context.Context) error {
	dir := a.stage.Dir()
	info, err := dir.Lstat(staging.ArchiveName)
	if err == nil {
		err = dir.Remove(staging.ArchiveName)
	}
	if err != nil {
		return failure.AtDestination("remove archive", dir.Path(), err)
	}
	return a.watch.event(ctx, transfer.EventCleanedUp, fmt.Sprintf("Removed the archive of %d bytes.", info.Size),
		transfer.Figures{"bytes": info.Size})
}

func (a *archiver) since(began time.Time) float64 { return a.engine.now().Sub(began).Seconds() }
