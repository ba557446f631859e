package engine

import (
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// remoteVerifier has files summed up where they lie, so that their bytes don't cross the network once more.
type remoteVerifier struct {
	*verifier
	digester endpoint.Digester
	root     endpoint.Dir
	parallel int // names that are looked at from here at once
}

// some proves the files that were hashed. What can't be summed up there, for whatever reason, is looked at from here.
func (v *remoteVerifier) some(records []numbered) ([]numbered, error) {
	files, rest := split(records)
	if len(files) > 0 {
		unread, err := v.sum(files)
		if err != nil {
			return nil, err
		}
		rest = append(rest, unread...)
	}
	return nil, v.look(rest)
}

// split parts the files that were hashed from all else.
func split(records []numbered) (files, rest []numbered) {
	for _, record := range records {
		if record.Type == endpoint.File && record.Hashed {
			files = append(files, record)
		} else {
			rest = append(rest, record)
		}
	}
	return files, rest
}

func (v *remoteVerifier) sum(files []numbered) (unread []numbered, err error) {
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = file.Path
	}
	digests, err := v.digester.Digests(v.ctx, paths)
	if err != nil {
		return nil, failure.AtDestination("verify", v.run.spec.FinalPath(), err)
	}
	for i, file := range files {
		if i >= len(digests) || digests[i].Err != nil {
			unread = append(unread, file)
			continue
		}
		if err := compare(digests[i], file.Record); err != nil {
			return nil, v.mismatch(file.Record, err)
		}
		v.run.watch.count(1, file.Size)
	}
	return unread, nil
}

// look proves what is left, many at once: each costs a round trip or more.
func (v *remoteVerifier) look(records []numbered) error {
	if len(records) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(v.ctx)
	for share := range slices.Chunk(records, 1+(len(records)-1)/max(1, v.parallel)) {
		group.Go(func() error {
			one := &verifier{ctx: ctx, run: v.run, find: tree.NewFinder(v.root)}
			defer one.close()
			return all(ctx, one, share)
		})
	}
	return group.Wait()
}

func compare(digest endpoint.Digest, record manifest.Record) error {
	switch {
	case digest.Size != record.Size:
		return wrongSize(digest.Size, record)
	case !record.Hashed || digest.XXH64 != record.Digest:
		return different("its bytes are not those that were read")
	}
	return nil
}
