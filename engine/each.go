package engine

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/manifest"
)

// chunk is how many records go to a worker at once at most, unless it wants more: neighbours share folders.
const chunk = 32

// share is how many of so many names one goroutine is best given at once, no more than most: few enough that none is idle
// while another still has a heap to do, which counts where each name costs several round trips.
func share(names int64, parallel, most int) int {
	twice := 2 * int64(max(parallel, 1))
	return int(min(max((names+twice-1)/twice, 1), int64(most)))
}

// numbered is a record and the number of its line.
type numbered struct {
	manifest.Record
	line int64
}

// worker does something with one record after the other.
type worker interface {
	one(record numbered) error
	close()
}

// batcher is a worker that would rather see several records first.
type batcher interface {
	// some does what it can of records at once, and returns those that are left to be done one by one.
	some(records []numbered) ([]numbered, error)
}

// each lets workers do something with every record of a manifest, in no particular order. An error of reading it is
// returned as it is, once all that came before it is done.
func each(ctx context.Context, parallel, chunk int, records *manifest.Reader, hire func(ctx context.Context) worker) error {
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []numbered, parallel)
	for range parallel {
		group.Go(func() error {
			w := hire(ctx)
			defer w.close()
			for records := range chunks {
				if err := all(ctx, w, records); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var ended error
	group.Go(func() (err error) {
		defer close(chunks)
		ended, err = deal(ctx, records, chunk, chunks)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return ended
}

func all(ctx context.Context, w worker, records []numbered) (err error) {
	if b, ok := w.(batcher); ok {
		if records, err = b.some(records); err != nil {
			return err
		}
	}
	for _, record := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.one(record); err != nil {
			return err
		}
	}
	return nil
}

// deal hands out the records, and returns why they ended, nil at the end of a whole manifest, apart from its own error.
func deal(ctx context.Context, records *manifest.Reader, chunk int, chunks chan<- []numbered) (ended, err error) {
	for ended == nil {
		batch := make([]numbered, 0, chunk)
		for len(batch) < chunk && ended == nil {
			var record manifest.Record
			if record, ended = records.Next(); ended == nil {
				batch = append(batch, numbered{record, records.Line()})
			}
		}
		select {
		case chunks <- batch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if errors.Is(ended, io.EOF) {
		return nil, nil
	}
	return ended, nil
}
