package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/pump"
	"github.com/ketter/ketter/engine/transfer"
)

// verify proves what was staged against the manifest. With None nothing is proven, and nothing is told.
func (r *run) verify(ctx context.Context) error {
	if r.spec.Verify == transfer.None {
		return nil
	}
	began := r.engine.now()
	if err := r.prove(ctx, r.stage.Data(), r.openManifest); err != nil {
		return err
	}
	seconds := r.engine.now().Sub(began).Seconds()
	return r.watch.event(ctx, transfer.EventVerified,
		fmt.Sprintf("Verified %d files by %s.", r.end.Files, r.spec.Verify),
		transfer.Figures{"files": r.end.Files, "bytes": r.end.Bytes, "seconds": seconds, "verify": string(r.spec.Verify)})
}

// prove compares what is below root with a manifest: by checksum if the job asks for it, else by size.
func (r *run) prove(ctx context.Context, root endpoint.Dir, open func() (io.ReadCloser, error)) error {
	r.watch.begin(transfer.Verifying, r.end.Files, r.end.Bytes)
	file, err := open()
	if err != nil {
		return failure.AtDestination("open manifest", r.destination.Path(), err)
	}
	defer file.Close()
	parallel, size := r.parallel, share(r.end.Files, r.parallel, chunk)
	there, sums := root.(endpoint.Digester)
	if sums = sums && r.spec.Verify == transfer.Checksum && there.DigestLimits().Items > 0; sums {
		parallel, size = max(1, there.DigestLimits().Calls), there.DigestLimits().Items
	}
	err = each(ctx, parallel, size, manifest.NewReader(file), func(ctx context.Context) worker {
		v := &verifier{ctx: ctx, run: r, find: tree.NewFinder(root)}
		if sums {
			return &remoteVerifier{verifier: v, digester: there, root: root, parallel: max(1, r.parallel/parallel)}
		}
		return v
	})
	return failure.AtDestination("read manifest", r.destination.Path(), err)
}

// verifier proves one name after the other.
type verifier struct {
	ctx    context.Context
	run    *run
	find   *tree.Finder
	buffer []byte
}

func (v *verifier) close() { v.find.Close() }

func (v *verifier) one(record numbered) error {
	if err := v.prove(record.Record); err != nil {
		return v.mismatch(record.Record, err)
	}
	if record.Type != endpoint.Folder {
		v.run.watch.count(1, 0)
	}
	return nil
}

// different is what is wrong with a staged name.
type different string

func (d different) Error() string { return string(d) }

func (v *verifier) prove(record manifest.Record) error {
	dir, name, err := v.find.Find(record.Path)
	if err != nil {
		return err
	}
	if record.Type == endpoint.File && v.run.spec.Verify == transfer.Checksum {
		if record.Linked && !record.Hashed {
			return v.further(dir, name, record)
		}
		return v.digest(dir, name, record)
	}
	return v.size(dir, name, record)
}

// size compares what can be seen of a name without reading it.
func (v *verifier) size(dir endpoint.Dir, name string, record manifest.Record) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case info.Type != record.Type:
		return different("it is of another type")
	case info.Size != record.Size && record.Type == endpoint.File:
		return wrongSize(info.Size, record)
	case record.Type == endpoint.Symlink:
		target, err := dir.Readlink(name)
		if err == nil && target != record.Target {
			err = different("it leads elsewhere")
		}
		return err
	}
	return nil
}

// further proves a further name of a file that is proven under its first one.
func (v *verifier) further(dir endpoint.Dir, name string, record manifest.Record) error {
	if v.run.keep.Links == nil { // of an earlier run
		return v.size(dir, name, record)
	}
	same, err := v.run.keep.Links.Same(record, dir, name)
	if err == nil && !same {
		err = different("it is not the file that its other names are")
	}
	v.run.watch.count(0, record.Size)
	return err
}

// digest reads a file again, from the storage where the system lets it.
func (v *verifier) digest(dir endpoint.Dir, name string, record manifest.Record) error {
	in, err := v.open(dir, name, record)
	if err != nil {
		return err
	}
	defer in.Close()
	_ = in.DropCache() // best effort, says the endpoint
	digest := xxhash.New()
	size, err := v.read(in, digest, record)
	if err != nil {
		return err
	}
	return compare(endpoint.Digest{Size: size, XXH64: digest.Sum64()}, record)
}

func wrongSize(size int64, record manifest.Record) error {
	return different(fmt.Sprintf("it has %d bytes instead of %d", size, record.Size))
}

// open opens a staged file. One whose mode shuts out its owner could be read at the source by way of a group or an access
// list; here we are the owner.
func (v *verifier) open(dir endpoint.Dir, name string, record manifest.Record) (endpoint.Reader, error) {
	in, err := dir.Open(name)
	if !errors.Is(err, fs.ErrPermission) || record.Mode&0o400 != 0 {
		return in, err
	}
	if err := dir.SetMode(name, record.Mode|0o400); err != nil {
		return nil, err
	}
	in, err = dir.Open(name)
	if err := errors.Join(err, dir.SetMode(name, record.Mode)); err != nil {
		if in != nil {
			in.Close()
		}
		return nil, err
	}
	return in, nil
}

// read returns how many bytes the file has, or more than the record says.
func (v *verifier) read(in endpoint.Reader, digest *xxhash.Digest, record manifest.Record) (size int64, err error) {
	if record.Size >= 2*pump.ChunkSize {
		return v.readLarge(in, digest, record)
	}
	const most = 256 << 10
	if size := min(most, record.Size+1); int64(len(v.buffer)) < size { // one more than it has, to see its end at once
		v.buffer = make([]byte, size)
	}
	for {
		if err := v.ctx.Err(); err != nil {
			return size, err
		}
		n, err := in.Read(v.buffer)
		digest.Write(v.buffer[:n])
		size += int64(n)
		v.run.watch.count(0, int64(n))
		if errors.Is(err, io.EOF) || size > record.Size {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// readLarge reads ahead while it hashes.
func (v *verifier) readLarge(in endpoint.Reader, digest *xxhash.Digest, record manifest.Record) (int64, error) {
	info, err := in.Info()
	if err != nil || info.Size != record.Size {
		return info.Size, err
	}
	err = pump.Run(v.ctx, pump.Work{In: in, Size: record.Size, Sums: []io.Writer{digest}, Staged: true,
		Source: tree.Join(v.run.spec.Destination, record.Path), InFlight: min(v.run.parallel, 16),
		Count: func(bytes int64) { v.run.watch.count(0, bytes) }})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = different("it became shorter")
	}
	return record.Size, err
}

// mismatch tells what is missing or different from what could not be read.
func (v *verifier) mismatch(record manifest.Record, err error) error {
	final := tree.Join(v.run.spec.Destination, record.Path)
	for _, gone := range []syscall.Errno{syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR} {
		if errors.Is(err, gone) {
			err = different("it is missing")
		}
	}
	var d different
	if !errors.As(err, &d) {
		return failure.AtDestination("verify", final, err)
	}
	return failure.New(failure.VerifyMismatch, final, fmt.Sprintf("What arrived is not what left: %s (%s)", final, d))
}
