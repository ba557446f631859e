package shelltools

import (
	"context"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// complete puts together what is known of the files called wanted. What tar didn't bring, or not in the size that was seen,
// is read now, several at once: by then all of it was found to fit into one call. A file that has grown since is left out.
func (f *folder) complete(ctx context.Context, wanted []string, packed map[string][]byte, before, after []looked) (map[string]endpoint.Whole, error) {
	all := make([]endpoint.Whole, len(wanted))
	err := f.each(ctx, len(wanted), func(find *tree.Finder, i int) error {
		size, data := before[i].info.Size, packed[wanted[i]]
		if data != nil && int64(len(data)) == size {
			all[i] = endpoint.Whole{Before: before[i].info, After: after[i].info, Data: data, Err: after[i].err}
			return nil
		}
		all[i] = readOne(find, wanted[i], size)
		return fatal(all[i].Err)
	})
	if err != nil {
		return nil, err
	}
	files := make(map[string]endpoint.Whole, len(wanted))
	for i, path := range wanted {
		if !all[i].TooLarge {
			files[path] = all[i]
		}
	}
	return files, nil
}

// alone is a file that went with no others.
func alone(find *tree.Finder, path string, before looked) endpoint.Whole {
	switch {
	case before.err != nil:
		return endpoint.Whole{Err: before.err}
	case before.info.Type != endpoint.File || before.info.Size > limits.Bytes:
		return endpoint.Whole{Before: before.info, TooLarge: true}
	}
	return readOne(find, path, limits.Bytes)
}

// readOne reads a file of up to limit bytes through its folder.
func readOne(find *tree.Finder, path string, limit int64) (file endpoint.Whole) {
	dir, name, err := find.Find(path)
	if err != nil {
		return endpoint.Whole{Err: err}
	}
	r, err := dir.Open(name)
	if err != nil {
		return endpoint.Whole{Err: err}
	}
	defer r.Close()
	if file.Before, file.Err = r.Info(); file.Err != nil {
		return file
	}
	if file.TooLarge = file.Before.Type != endpoint.File || file.Before.Size > limit; file.TooLarge {
		return file
	}
	if file.Data, file.Err = io.ReadAll(io.LimitReader(r, file.Before.Size+1)); file.Err != nil {
		return file
	}
	file.After, file.Err = r.Info()
	return file
}
