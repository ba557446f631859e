package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/transfer"
)

// chunk is how many records go to a verifier at once: neighbours share folders.
const chunk = 64

// verify proves what was staged against the manifest. With None nothing is proven, and nothing is told.
func (r *run) verify(ctx context.Context) error {
	if r.spec.Verify == transfer.None {
		return nil
	}
	began := r.engine.now()
	r.watch.begin(transfer.Verifying, r.end.Files, r.end.Bytes)
	file, err := r.stage.OpenManifest()
	if err != nil {
		return failure.AtDestination("open manifest", r.stage.Dir().Path(), err)
	}
	defer file.Close()
	if err := r.verifyAll(ctx, manifest.NewReader(file)); err != nil {
		return err
	}
	seconds := r.engine.now().Sub(began).Seconds()
	return r.watch.event(ctx, transfer.EventVerified,
		fmt.Sprintf("Verified %d files by %s.", r.end.Files, r.spec.Verify),
		transfer.Figures{"files": r.end.Files, "bytes": r.end.Bytes, "seconds": seconds, "verify": string(r.spec.Verify)})
}

func (r *run) verifyAll(ctx context.Context, records *manifest.Reader) error {
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []manifest.Record, r.engine.parallel)
	for range r.engine.parallel {
		group.Go(func() error {
			v := verifier{ctx: ctx, find: tree.NewFinder(r.stage.Data()), spec: r.spec, count: r.watch.count}
			defer v.find.Close()
			for records := range chunks {
				if err := v.all(records); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(chunks)
		return r.deal(ctx, records, chunks)
	})
	return group.Wait()
}

// deal hands out the records of a manifest that must be whole.
func (r *run) deal(ctx context.Context, records *manifest.Reader, chunks chan<- []manifest.Record) error {
	for more := true; more; {
		batch := make([]manifest.Record, 0, chunk)
		for len(batch) < chunk {
			record, err := records.Next()
			if errors.Is(err, io.EOF) {
				more = false
				break
			}
			if err != nil {
				return failure.AtDestination("read manifest", r.stage.Dir().Path(), err)
			}
			batch = append(batch, record)
		}
		select {
		case chunks <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// verifier proves one name after the other.
type verifier struct {
	ctx    context.Context
	find   *tree.Finder
	spec   transfer.Spec
	count  func(files, bytes int64)
	buffer []byte
}

func (v *verifier) all(records []manifest.Record) error {
	for _, record := range records {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if err := v.one(record); err != nil {
			return v.mismatch(record, err)
		}
		if record.Type != endpoint.Folder {
			v.count(1, 0)
		}
	}
	return nil
}

// different is what is wrong with a staged name.
type different string

func (d different) Error() string { return string(d) }

func (v *verifier) one(record manifest.Record) error {
	dir, name, err := v.find.Find(record.Path)
	if err != nil {
		return err
	}
	if record.Type == endpoint.File && v.spec.Verify == transfer.Checksum {
		return v.digest(dir, name, record)
	}
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case info.Type != record.Type:
		return different("it is of another type")
	case info.Size != record.Size && record.Type == endpoint.File:
		return different(fmt.Sprintf("it has %d bytes instead of %d", info.Size, record.Size))
	case record.Type == endpoint.Symlink:
		target, err := dir.Readlink(name)
		if err == nil && target != record.Target {
			err = different("it leads elsewhere")
		}
		return err
	}
	return nil
}

// digest reads a file again, from the storage where the system lets it.
func (v *verifier) digest(dir endpoint.Dir, name string, record manifest.Record) error {
	in, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	_ = in.DropCache() // best effort, says the endpoint
	if v.buffer == nil {
		v.buffer = make([]byte, 256<<10)
	}
	digest, size := xxhash.New(), int64(0)
	for {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(v.buffer)
		digest.Write(v.buffer[:n]) // never fails
		size += int64(n)
		v.count(0, int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	switch {
	case size != record.Size:
		return different(fmt.Sprintf("it has %d bytes instead of %d", size, record.Size))
	case !record.Hashed || digest.Sum64() != record.Digest:
		return different("its bytes are not those that were read")
	}
	return nil
}

// mismatch tells what is missing or different from what could not be read.
func (v *verifier) mismatch(record manifest.Record, err error) error {
	final := v.spec.Destination + "/" + record.Path
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
