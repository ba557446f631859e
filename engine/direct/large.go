package direct

import (
	"errors"
	"io"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
	"github.com/ketter/ketter/engine/pump"
)

const (
	// largeFiles is how many large files are under way at once.
	largeFiles = 4
	// farLargeFiles is the same where large begins at farLarge.
	farLargeFiles = 16
	// farUnproven is how many bytes of files may be begun and not yet recorded where a network is between: a run that is
	// killed sends them again. A large file counts with no more than unprovenOfOne, so that small ones go on beside it.
	farUnproven   = 24 << 20
	unprovenOfOne = 4 << 20
	// chunksInFlight is how many chunks of one are, at most.
	chunksInFlight = 16
	// reserveSize is from when on storage is reserved.
	reserveSize = 64 << 20
	// rangeSize is how much the storage is asked to copy at once: between two, a run can be stopped.
	rangeSize = 64 << 20
)

// takeOver goes on with what an earlier run has of the file, if it is of the file as it is now.
func (f *file) takeOver() (bool, error) {
	rest, err := f.options.Earlier.Rest(f.record.Path)
	if rest == nil || err != nil {
		return false, failure.AtDestination("look for what an earlier run left of", f.target, err)
	}
	defer rest.Close()
	if !rest.Record.SameFile(f.record) {
		return false, nil
	}
	if f.digest != nil && (rest.State == nil || f.digest.UnmarshalBinary(rest.State) != nil) {
		f.digest.Reset()
		return false, nil
	}
	if err := rest.Dir.Rename(rest.Name, f.to, f.name); err != nil {
		return false, failure.AtDestination("take over", f.target, err)
	}
	if f.out, err = f.reopen(); err != nil {
		return false, failure.AtDestination("open", f.target, err)
	}
	if err := f.goOn(rest); err != nil {
		return false, errors.Join(err, f.out.Close())
	}
	return true, nil
}

// reopen opens the file also when the earlier run had got so far as to give it its mode, and only not to record it.
func (f *file) reopen() (endpoint.Writer, error) {
	out, err := f.to.Reopen(f.name)
	if !errors.Is(err, fs.ErrPermission) {
		return out, err
	}
	if err := f.to.SetMode(f.name, 0o600); err != nil {
		return nil, err
	}
	return f.to.Reopen(f.name)
}

// goOn cuts off what is not proven, and tells what is.
func (f *file) goOn(rest *Rest) error {
	f.from = rest.Offset
	f.options.Count(0, f.from)
	if err := f.out.Truncate(f.from); err != nil {
		return failure.AtDestination("set size", f.target, err)
	}
	return failure.AtDestination("record", f.target, f.options.Sink.AddPartial(
		manifest.Partial{Record: f.record, Offset: rest.Offset, State: rest.State}))
}

// largeBytes copies a large file: by sharing its blocks, by letting the storage copy, or with several chunks in flight.
// Its holes stay holes.
func (f *file) largeBytes() error {
	select {
	case f.large <- struct{}{}:
		defer func() { <-f.large }()
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	cloned, err := f.cloned()
	if err != nil {
		return err
	}
	if cloned && f.digest == nil {
		f.options.Count(0, f.record.Size)
		return nil
	}
	if !cloned {
		if err := f.reserve(); err != nil {
			return err
		}
		if f.digest == nil {
			done, err := f.byStorage()
			f.from += done
			if err != nil {
				return err
			}
		}
	}
	if err := f.pump(cloned); err != nil || cloned {
		return err
	}
	// It may end with a hole; also one that takes all its space, having been reserved and never written.
	return failure.AtDestination("set size", f.target, f.out.Truncate(f.record.Size))
}

func (f *file) cloned() (bool, error) {
	if f.from > 0 || f.noClone.Load() {
		return false, nil
	}
	err := f.out.Clone(f.in)
	if errors.Is(err, errors.ErrUnsupported) {
		f.noClone.Store(true)
		return false, nil
	}
	return err == nil, failure.AtDestination("clone", f.target, err)
}

func (f *file) reserve() error {
	if f.sparse || f.record.Size < reserveSize {
		return nil
	}
	err := f.out.Preallocate(f.record.Size)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return failure.AtDestination("reserve space", f.target, err)
}

// pump moves, or only hashes, what is left.
func (f *file) pump(hashOnly bool) error {
	if f.from >= f.record.Size {
		return nil
	}
	work := pump.Work{In: f.in, Out: f.out, From: f.from, Size: f.record.Size, Source: f.source, Target: f.target,
		InFlight: min(f.options.Parallel, chunksInFlight), Reached: f.reached(),
		Count: func(bytes int64) { f.options.Count(0, bytes) }}
	if f.digest != nil {
		work.Sums = []io.Writer{f.digest}
	}
	if hashOnly {
		work.Out, work.Reached = nil, nil
	}
	return pump.Run(f.ctx, work)
}

// reached returns a function that notes now and then how far the file is.
func (f *file) reached() func(offset int64) error {
	every := f.options.PartEvery
	if f.options.Keep.SyncEach {
		every *= 4 // each note costs a sync
	}
	next := f.from + every
	return func(offset int64) error {
		if offset < next || offset == f.record.Size {
			return nil
		}
		next = offset + every
		part := manifest.Partial{Record: f.record, Offset: offset}
		if f.digest != nil {
			part.State, _ = f.digest.MarshalBinary() // can't fail
		}
		if err := f.settle(); err != nil {
			return err
		}
		return failure.AtDestination("record", f.target, f.options.Sink.AddPartial(part))
	}
}

// settle makes sure that what was written can be told of: a later piece may have come through where an earlier one was lost
// with a worker.
func (f *file) settle() error {
	if f.options.Keep.SyncEach {
		return failure.AtDestination("sync", f.target, f.out.Sync())
	}
	if late, ok := f.out.(endpoint.Settler); ok {
		return failure.AtDestination("write", f.target, late.Settle())
	}
	return nil
}

// byStorage lets the storage copy, stretch by stretch, and returns up to where it did. Some network file systems end
// short of the end of the file (copy_file_range(2) says so of FUSE), so what is left is read by hand.
func (f *file) byStorage() (done int64, err error) {
	reached := f.reached()
	for offset := f.from; offset < f.record.Size && !f.noRange.Load(); {
		start, end, err := f.stretch(offset)
		if err != nil {
			return offset - f.from, failure.AtSource("seek", f.source, err)
		}
		f.options.Count(0, start-offset)
		for offset = start; offset < end; {
			n, err := f.storageStep(offset, end)
			if n == 0 || err != nil {
				return offset - f.from, err
			}
			offset += n
			f.options.Count(0, n)
			if err := reached(offset); err != nil {
				return offset - f.from, err
			}
		}
		done = offset - f.from
	}
	return done, nil
}

// stretch is what to copy at offset: all of it, of a file without holes.
func (f *file) stretch(offset int64) (start, end int64, err error) {
	if !f.sparse {
		return offset, f.record.Size, nil
	}
	return f.in.NextData(offset, f.record.Size)
}

// storageStep returns 0 where the storage can't, or comes to an end.
func (f *file) storageStep(offset, end int64) (int64, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.out.CopyFrom(offset, f.in, offset, min(end-offset, rangeSize))
	if errors.Is(err, errors.ErrUnsupported) {
		f.noRange.Store(true)
		return 0, nil
	}
	return n, failure.AtDestination("copy", f.target, err)
}
