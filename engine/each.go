package engine

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/manifest"
)

// chunk is how many records go to a worker at once: neighbours share folders.
const chunk = 32

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

// each lets workers do something with every record of a manifest, in no particular order. An error of reading it ends the
// work and is returned as it is.
func each(ctx context.Context, parallel int, records *manifest.Reader, hire func(ctx context.Context) worker) error {
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
	group.Go(func() error {
		defer close(chunks)
		return deal(ctx, records, chunks)
	})
	return group.Wait()
}

func all(ctx context.Context, w worker, records []numbered) error {
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

func deal(ctx context.Context, records *manifest.Reader, chunks chan<- []numbered) error {
	for {
		batch := make([]numbered, 0, chunk)
		var err error
		for len(batch) < chunk && err == nil {
			var record manifest.Record
			if record, err = records.Next(); err == nil {
				batch = append(batch, numbered{record, records.Line()})
			}
		}
		select {
		case chunks <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
