// Package pump moves the bytes of one large file with several chunks in flight, so that reading, summing and writing go on
// at once and a storage with latency is kept busy. It opens and closes nothing.
package pump

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
)

const (
	// ChunkSize is how many bytes are read and written at once.
	ChunkSize = 1 << 20
	// holeSize is how much of a hole is summed at once: between two, a run can be stopped.
	holeSize = 256 << 20
)

// Work is what to move: the bytes of a file from From to Size.
type Work struct {
	In     endpoint.Reader
	Out    endpoint.Writer // nil to sum only
	From   int64           // below Size
	Size   int64           // of the file
	At     int64           // where byte 0 of the file goes in Out
	Sums   []io.Writer     // given every byte from From on, in order, holes as zeros; their errors don't count
	Source string          // paths, for messages
	Target string
	Staged bool // In is what was written before: its errors are the destination's, an early end io.ErrUnexpectedEOF

	InFlight int               // chunks at once, at least 1
	Count    func(bytes int64) // told what was done since it was last called
	// Reached, when not nil, is called now and then, in order: all bytes before offset are written and summed, none after
	// it is summed.
	Reached func(offset int64) error
}

// Run moves the bytes. A source that ends before Size has changed. Holes of the source are not written.
func Run(ctx context.Context, w Work) error {
	group, ctx := errgroup.WithContext(ctx)
	todo, ordered := make(chan *chunk), make(chan *chunk, w.InFlight)
	group.Go(func() error {
		defer close(todo)
		defer close(ordered)
		return w.deal(ctx, todo, ordered)
	})
	for range w.InFlight {
		group.Go(func() error {
			for c := range todo {
				if err := w.move(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error { return w.sum(ctx, ordered) })
	return group.Wait()
}

// chunk is a piece of a file. What deals it out closes none of its channels: whoever does a step does.
type chunk struct {
	offset, size  int64
	hole          bool
	buffer        *[ChunkSize]byte
	read, written chan struct{}
}

var buffers = sync.Pool{New: func() any { return new([ChunkSize]byte) }}

// deal cuts the file into chunks, holes apart.
func (w *Work) deal(ctx context.Context, todo, ordered chan<- *chunk) error {
	for offset := w.From; offset < w.Size; {
		start, end, err := w.In.NextData(offset, w.Size)
		if err != nil {
			return w.readFailed("seek", err)
		}
		for ; offset < start; offset += holeSize {
			hole := &chunk{offset: offset, size: min(holeSize, start-offset), hole: true}
			if err := send(ctx, ordered, hole); err != nil {
				return err
			}
		}
		for offset = start; offset < end; {
			c := &chunk{offset: offset, size: min(ChunkSize, end-offset), buffer: buffers.Get().(*[ChunkSize]byte),
				read: make(chan struct{}), written: make(chan struct{})}
			offset += c.size
			if err := errors.Join(send(ctx, ordered, c), send(ctx, todo, c)); err != nil {
				return err
			}
		}
	}
	return nil
}

func send(ctx context.Context, to chan<- *chunk, c *chunk) error {
	select {
	case to <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// move reads a chunk and writes it.
func (w *Work) move(ctx context.Context, c *chunk) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bytes := c.buffer[:c.size]
	n, err := w.In.ReadAt(bytes, c.offset)
	if int64(n) < c.size {
		return w.readShort(err)
	}
	close(c.read)
	if w.Out != nil {
		if _, err := w.Out.WriteAt(bytes, w.At+c.offset); err != nil {
			return failure.AtDestination("write", w.Target, err)
		}
	}
	close(c.written)
	return nil
}

// readShort always returns an error: whoever waits for the chunk would wait for ever.
func (w *Work) readShort(err error) error {
	if errors.Is(err, io.EOF) && !w.Staged {
		return tree.Changed(w.Source, "it became shorter", nil)
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return w.readFailed("read", err)
}

func (w *Work) readFailed(op string, err error) error {
	if w.Staged {
		return failure.AtDestination(op, w.Source, err)
	}
	return failure.AtSource(op, w.Source, err)
}

// sum takes the chunks in their order.
func (w *Work) sum(ctx context.Context, ordered <-chan *chunk) error {
	for c := range ordered {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.hole {
			w.zeros(c.size)
		} else if err := w.add(ctx, c); err != nil {
			return err
		}
		w.Count(c.size)
		if w.Reached != nil {
			if err := w.Reached(c.offset + c.size); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Work) add(ctx context.Context, c *chunk) error {
	if err := wait(ctx, c.read); err != nil {
		return err
	}
	for _, sum := range w.Sums {
		_, _ = sum.Write(c.buffer[:c.size]) // a hash never fails
	}
	if err := wait(ctx, c.written); err != nil {
		return err
	}
	buffers.Put(c.buffer)
	return nil
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var zero [64 << 10]byte

func (w *Work) zeros(size int64) {
	for _, sum := range w.Sums {
		for left := size; left > 0; left -= int64(len(zero)) {
			_, _ = sum.Write(zero[:min(left, int64(len(zero)))])
		}
	}
}
