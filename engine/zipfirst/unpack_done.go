package zipfirst

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// takeOver moves what an earlier run has proven from Done to its place, in folders that are all there by now.
func (u *unpacker) takeOver(ctx context.Context, archive Archive, data endpoint.Dir) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(u.options.Parallel)
	var batch []manifest.Record
	send := func() {
		mine := batch
		batch = nil
		group.Go(func() error { return takeOver(ctx, u.options.Done, data, mine) })
	}
	err := u.records(ctx, archive, func(record manifest.Record) error {
		if record.Packed != nil || record.Type == endpoint.Folder {
			return nil
		}
		if batch = append(batch, record); len(batch) == batchSize {
			send()
		}
		return nil
	})
	send()
	return errors.Join(group.Wait(), err)
}

func takeOver(ctx context.Context, from, data endpoint.Dir, records []manifest.Record) error {
	done, place := tree.NewFinder(from), tree.NewFinder(data)
	defer done.Close()
	defer place.Close()
	for _, record := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, name, err := done.Find(record.Path)
		if err != nil {
			return failure.AtDestination("take over", record.Path, err)
		}
		to, _, err := place.Find(record.Path)
		if err == nil {
			err = dir.Rename(name, to, name)
		}
		if err != nil {
			return failure.AtDestination("take over", tree.Join(data.Path(), record.Path), err)
		}
	}
	return nil
}

// finishFolders gives folders their modes and times, in the manifest's order: what a folder holds comes before it.
func (u *unpacker) finishFolders(ctx context.Context, archive Archive, data endpoint.Dir) error {
	find := tree.NewFinder(data)
	defer find.Close()
	return u.records(ctx, archive, func(record manifest.Record) error {
		if record.Type != endpoint.Folder {
			return nil
		}
		in, name, err := find.Find(record.Path)
		if err != nil {
			return failure.AtDestination("find folder", record.Path, err)
		}
		folder, err := in.OpenDir(name)
		if err != nil {
			return failure.AtDestination("open folder", tree.Join(in.Path(), name), err)
		}
		defer folder.Close()
		above, _ := tree.Split(record.Path)
		return u.options.Keep.Folder(in, folder, name, record, above == "")
	})
}

// records calls do for each record of the manifest.
func (u *unpacker) records(ctx context.Context, archive Archive, do func(manifest.Record) error) error {
	recorded, err := archive.Manifest()
	if err != nil {
		return failure.AtDestination("open manifest", archive.Path, err)
	}
	defer recorded.Close()
	in := manifest.NewReader(recorded)
	for {
		record, err := in.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, manifest.ErrTruncated) {
			return nil
		}
		if err != nil {
			return archiveFailed("read manifest", u.path, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(record); err != nil {
			return err
		}
	}
}
