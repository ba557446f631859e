package dku

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// ScratchPrefix begins the names of all folders that the DKU makes.
const ScratchPrefix = ".ketter-dku-"

// scratchName holds the process's id, by which others know whether whoever made it still lives.
func scratchName() string {
	return fmt.Sprintf("%s%d-%s", ScratchPrefix, os.Getpid(), strings.ToLower(rand.Text()[:10]))
}

// scratch are the hidden folders that there are at the moment: checks that hang, and are left behind, have not removed theirs.
type scratch struct {
	mu    sync.Mutex
	there map[string]chan struct{} // by path; closed when nobody works in it any more
}

func newScratch() *scratch { return &scratch{there: map[string]chan struct{}{}} }

// in lets use have a new hidden folder below root, which it removes afterwards with all that is in it.
func (s *scratch) in(root string, use func(endpoint.Dir) error) (err error) {
	top, err := openRoot(root)
	if err != nil {
		return err
	}
	defer top.Close()
	name := scratchName()
	path := filepath.Join(root, name)
	ended := s.note(path)
	defer close(ended)
	if err := top.Mkdir(name, 0o700); err != nil {
		s.forget(path)
		return err
	}
	defer func() {
		if left := tree.RemoveAll(context.Background(), top, name); left != nil {
			err = errors.Join(err, fmt.Errorf("%s was not removed: %w", path, left))
			return
		}
		s.forget(path)
	}()
	dir, err := top.OpenDir(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return use(dir)
}

func (s *scratch) note(path string) (ended chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended = make(chan struct{})
	s.there[path] = ended
	return ended
}

func (s *scratch) forget(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.there, path)
}

func (s *scratch) now() map[string]chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.there)
}

// removed waits for checks that were left behind, and names the folders that stay.
func (s *scratch) removed(ctx context.Context) Finding {
	for _, ended := range s.now() {
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
	left := slices.Sorted(maps.Keys(s.now()))
	if len(left) == 0 {
		return ok("All folders that the checks made are removed.").with(0, "folders")
	}
	names := strings.Join(left, ", ")
	return fail("These folders of the checks could not be removed: "+names, "When the storage answers again, remove what is left by hand: "+names).
		with(float64(len(left)), "folders")
}

// put makes a small file.
func put(dir endpoint.Dir, name string, content []byte) error {
	file, err := dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

// rootRename tries what publishes every job: a rename that refuses to replace.
func (p *Probe) rootRename(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		inSteps := false
		err := p.scratch.in(root, func(dir endpoint.Dir) (err error) {
			if err := errors.Join(dir.Mkdir("a", 0o700), dir.Mkdir("b", 0o700)); err != nil {
				return err
			}
			if err := dir.Rename("a", dir, "b"); !errors.Is(err, syscall.EEXIST) {
				return fmt.Errorf("a rename onto a name that is taken answered %w, not that it exists", orNothing(err))
			}
			inSteps, err = dir.Publish("a", dir, "c")
			return err
		})
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return storageFailed("A rename was not tried", root, err)
		case err != nil:
			return fail("A folder could not be renamed as it should: "+err.Error(), "Don't let jobs write here: results can't be published safely.")
		case inSteps:
			return ok("Renames that refuse to replace work, in steps: the file system can't do it at once.")
		}
		return ok("Renames that refuse to replace work, at once.")
	}
}

func orNothing(err error) error {
	if err == nil {
		return errors.New("nothing")
	}
	return err
}

// rootReflink tells whether a copy within the volume can share blocks.
func (p *Probe) rootReflink(root string) func(context.Context) Finding {
	return func(context.Context) Finding {
		err := p.scratch.in(root, func(dir endpoint.Dir) error { return clone(dir) })
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return ok("No reflinks: copies within the volume write every byte.")
		case err != nil:
			return storageFailed("A reflink was not made", root, err)
		}
		return ok("Reflinks work: copies within the volume share blocks.")
	}
}

func clone(dir endpoint.Dir) error {
	if err := put(dir, "a", make([]byte, 4096)); err != nil {
		return err
	}
	from, err := dir.Open("a")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := dir.Create("b", 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	return to.Clone(from)
}

const (
	smallFiles = 16              // that the latency is the median of
	measuring  = 2 * time.Second // after which no more is begun: the last one and its folder take time too
)

// rootLatency is what a small file costs: made, written, made durable, removed.
func (p *Probe) rootLatency(root string) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		ctx, cancel := context.WithTimeout(ctx, measuring)
		defer cancel()
		began, done := time.Now(), 0
		var each float64
		err := p.scratch.in(root, func(dir endpoint.Dir) error {
			took, err := times(smallFiles, func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				done++
				return errors.Join(put(dir, "file", []byte("small")), dir.Remove("file"))
			})
			if err == nil {
				each = milliseconds(took[smallFiles/2])
			}
			return err
		})
		p.noteLatency(root, time.Since(began)/time.Duration(max(1, done)))
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return warn(fmt.Sprintf("%d small files were not written and removed within %s.", smallFiles, measuring),
				"The storage is slow or busy. Sessions of many small files will take long; see its load.")
		case err != nil:
			return storageFailed("Small files could not be written and removed", root, err)
		}
		return limits{warn: 50, fail: 1000}.above(each, "ms", "What a small file takes: made, written, made durable, removed.",
			"The storage is slow or busy. Sessions of many small files will take long; see its load.")
	}
}
