package engine

import (
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// remoteVerifier has files summed up where they lie, so that their bytes don't cross the network once more.
type remoteVerifier struct {
	*verifier
	digester endpoint.Digester
}

// some proves the files that were hashed. What can't be summed up there, for whatever reason, is left to be looked at from here.
func (v *remoteVerifier) some(records []numbered) (rest []numbered, err error) {
	var files []numbered
	var paths []string
	for _, record := range records {
		if record.Type != endpoint.File || !record.Hashed {
			rest = append(rest, record)
			continue
		}
		files, paths = append(files, record), append(paths, record.Path)
	}
	if len(files) == 0 {
		return rest, nil
	}
	digests, err := v.digester.Digests(v.ctx, paths)
	if err != nil {
		return nil, failure.AtDestination("verify", v.run.spec.FinalPath(), err)
	}
	for i, file := range files {
		if i >= len(digests) || digests[i].Err != nil {
			rest = append(rest, file)
			continue
		}
		if err := compare(digests[i], file.Record); err != nil {
			return nil, v.mismatch(file.Record, err)
		}
		v.run.watch.count(1, file.Size)
	}
	return rest, nil
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
