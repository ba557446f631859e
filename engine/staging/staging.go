package staging

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// What a staging folder holds.
const (
	dataName      = "data"
	manifestName  = "manifest.jsonl"
	linksName     = "links"
	keptName      = "kept"
	inheritedName = "inherited"
	fencedName    = "fenced"
	// ArchiveName is where the archive of a ZIP_FIRST is until it is unpacked.
	ArchiveName = "archive.zip"
)

// Staging is a run's own staging folder, open and locked.
type Staging struct {
	parent   endpoint.Dir
	name     string
	dir      endpoint.Dir
	data     endpoint.Dir
	manifest endpoint.Writer
	links    func() (endpoint.Dir, error)
	kept     func() (endpoint.Dir, error)

	mu    sync.Mutex
	opens []endpoint.Dir // by links and kept
}

// Create makes the staging folder called name in parent, which outlives it.
func Create(parent endpoint.Dir, name string) (*Staging, error) {
	if err := parent.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	s := &Staging{parent: parent, name: name}
	s.links = sync.OnceValues(func() (endpoint.Dir, error) { return s.open(linksName) })
	s.kept = sync.OnceValues(func() (endpoint.Dir, error) { return s.open(keptName) })
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
	return endpoint.InTurn(s.dir.Capabilities().Far, s.lock, s.makeData, s.makeManifest)
}

func (s *Staging) lock() error {
	err := s.dir.TryLock()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

func (s *Staging) makeData() (err error) {
	if err := s.dir.Mkdir(dataName, 0o700); err != nil {
		return err
	}
	s.data, err = s.dir.OpenDir(dataName)
	return err
}

func (s *Staging) makeManifest() (err error) {
	s.manifest, err = s.dir.Create(manifestName, 0o600)
	return err
}

// open makes and opens a folder of the staging's own.
func (s *Staging) open(name string) (endpoint.Dir, error) {
	dir, err := makeDir(s.dir, name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens = append(s.opens, dir)
	return dir, nil
}

// makeDir opens a folder, which may be there already.
func makeDir(in endpoint.Dir, name string) (endpoint.Dir, error) {
	if err := in.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return in.OpenDir(name)
}

// Dir is the staging folder itself.
func (s *Staging) Dir() endpoint.Dir { return s.dir }

// Data is the folder whose one child is what will be published.
func (s *Staging) Data() endpoint.Dir { return s.data }

// Kept is the folder where names of earlier runs wait, each at its path, until the walk of the source comes to them.
func (s *Staging) Kept() (endpoint.Dir, error) { return s.kept() }

// Links makes hard links, with the help of a folder in the staging.
func (s *Staging) Links() *Links {
	return &Links{open: s.links, busy: map[string]chan struct{}{}}
}

// Manifest is the manifest's file, to be written and closed.
func (s *Staging) Manifest() endpoint.Writer { return s.manifest }

// OpenManifest opens the manifest's file.
func (s *Staging) OpenManifest() (endpoint.Reader, error) { return s.dir.Open(manifestName) }

// Sync makes the staging's own folders durable.
func (s *Staging) Sync() error { return errors.Join(s.data.Sync(), s.dir.Sync()) }

// Publish gives what was built under name its place beside the staging folder, in one rename that never replaces: a name
// that is taken is EEXIST. It is durable once the parent is synced. It reports whether the storage needed several steps.
func (s *Staging) Publish(name string) (inSteps bool, err error) {
	return s.data.Publish(name, s.parent, name)
}

// Taken reports whether the staging folder is not in its place any more: a later run has inherited it.
func (s *Staging) Taken() bool {
	mine, err := s.dir.Info()
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // of an endpoint that looks for the path each time
	}
	there, err := s.parent.Lstat(s.name)
	return errors.Is(err, fs.ErrNotExist) || err == nil && there.Inode != mine.Inode
}

// Close lets go of the folder and its lock, and leaves it where it is.
func (s *Staging) Close() {
	for _, dir := range append(s.opens, s.data, s.dir) {
		if dir != nil {
			dir.Close()
		}
	}
	if s.manifest != nil {
		_ = s.manifest.Close() // its error was looked at where its bytes counted
	}
}

// Remove removes all of the staging, and then lets go of its lock.
func (s *Staging) Remove(ctx context.Context) error {
	defer s.Close()
	if err := s.dir.Remove(manifestName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // as long as it is there, a staging that is half removed looks like that of a run which has published
	}
	return tree.RemoveAll(ctx, s.parent, s.name)
}
