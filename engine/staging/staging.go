package staging

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// What a staging folder holds.
const (
	dataName     = "data"
	manifestName = "manifest.jsonl"
	// ArchiveName is where the archive of a ZIP_FIRST is until it is unpacked.
	ArchiveName = "archive.zip"
)

// Staging is a run's own staging folder, open and locked.
type Staging struct {
	parent endpoint.Dir
	name   string
	dir    endpoint.Dir
	data   endpoint.Dir
}

// Create makes the staging folder called name in parent, which outlives it.
func Create(parent endpoint.Dir, name string) (*Staging, error) {
	if err := parent.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	s := &Staging{parent: parent, name: name}
	if err := s.fill(); err != nil {
		s.Close()
		return nil, errors.Join(err, tree.RemoveAll(context.Background(), parent, name))
	}
	return s, nil
}

func (s *Staging) fill() (err error) {
	if s.dir, err = s.parent.OpenDir(s.name); err != nil {
		return err
	}
	if err := s.dir.TryLock(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := s.dir.Mkdir(dataName, 0o700); err != nil {
		return err
	}
	s.data, err = s.dir.OpenDir(dataName)
	return err
}

// Dir is the staging folder itself.
func (s *Staging) Dir() endpoint.Dir { return s.dir }

// Data is the folder whose one child is what will be published.
func (s *Staging) Data() endpoint.Dir { return s.data }

// CreateManifest makes the manifest's file.
func (s *Staging) CreateManifest() (endpoint.Writer, error) { return s.dir.Create(manifestName) }

// OpenManifest opens the manifest's file.
func (s *Staging) OpenManifest() (endpoint.Reader, error) { return s.dir.Open(manifestName) }

// Sync makes the staging's own folders durable.
func (s *Staging) Sync() error { return errors.Join(s.data.Sync(), s.dir.Sync()) }

// Publish gives what was built under name its place beside the staging folder, in one rename that never replaces: a name
// that is taken is EEXIST. It is durable once the parent is synced.
func (s *Staging) Publish(name string) error { return s.data.Rename(name, s.parent, name) }

// Close lets go of the folder and its lock, and leaves it where it is.
func (s *Staging) Close() {
	if s.data != nil {
		s.data.Close()
	}
	if s.dir != nil {
		s.dir.Close()
	}
}

// Remove closes the staging and removes all of it.
func (s *Staging) Remove(ctx context.Context) error {
	s.Close()
	return tree.RemoveAll(ctx, s.parent, s.name)
}

// Manifest opens the manifest in the staging folder called name, of whichever run.
func Manifest(parent endpoint.Dir, name string) (endpoint.Reader, error) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Open(manifestName)
}

// RemoveDead removes the staging folder called name, unless its run is alive.
func RemoveDead(ctx context.Context, parent endpoint.Dir, name string) error {
	dir, err := parent.OpenDir(name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		defer dir.Close()
		err = dir.TryLock()
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return tree.RemoveAll(ctx, parent, name) // also one that can't be opened or locked
}

// Holds reports whether the staging folder called name still holds what it is to publish as base.
func Holds(parent endpoint.Dir, name, base string) (bool, error) {
	stage, err := parent.OpenDir(name)
	if err != nil {
		return false, err
	}
	defer stage.Close()
	data, err := stage.OpenDir(dataName)
	if err != nil {
		return false, err
	}
	defer data.Close()
	_, err = data.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
