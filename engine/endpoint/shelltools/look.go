package shelltools

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
)

const (
	lookers = 64 // questions under way at once
	stretch = 8  // names that one goes on with: those of one folder mostly, which is opened once
)

// looked is what a look at a path has found.
type looked struct {
	info endpoint.Info
	err  error
}

// look asks for each of paths what it is, following no link. Its own error is one that ends it all.
func (f *folder) look(ctx context.Context, paths []string) ([]looked, error) {
	found := make([]looked, len(paths))
	err := f.each(ctx, len(paths), func(find *tree.Finder, i int) error {
		if !tree.Local(paths[i]) {
			found[i].err = syscall.EINVAL
			return nil
		}
		dir, name, err := find.Find(paths[i])
		if err == nil {
			found[i].info, err = dir.Lstat(name)
		}
		found[i].err = err
		return fatal(err)
	})
	return found, err
}

// fatal is err where it isn't about one name: the host can't be reached.
func fatal(err error) error {
	var known *failure.Error
	if errors.As(err, &known) {
		return err
	}
	return nil
}

// each calls fn for 0 to n-1, several at once, each with a Finder below f.
func (f *folder) each(ctx context.Context, n int, fn func(find *tree.Finder, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(lookers, (n+stretch-1)/stretch) {
		group.Go(func() error {
			find := tree.NewFinder(f.Dir)
			defer find.Close()
			for {
				from := int(next.Add(stretch)) - stretch
				if from >= n {
					return nil
				}
				for i := from; i < min(from+stretch, n); i++ {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if err := fn(find, i); err != nil {
						return err
					}
				}
			}
		})
	}
	return group.Wait()
}
