package agent

import (
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/local"
)

const maxBases = 64

func checkRoots(roots []string) error {
	for _, root := range roots {
		if !filepath.IsAbs(root) || filepath.Clean(root) != root || strings.ContainsRune(root, 0) {
			return syscall.EINVAL
		}
	}
	if len(roots) > 64 {
		return syscall.E2BIG
	}
	return nil
}

// locate is Locate of the session's roots; what they lead to must lie below one that the agent was started for, too.
func (s *session) locate(allowed local.Roots, path string) (*endpoint.Place, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsRune(path, 0) {
		return nil, syscall.EINVAL
	}
	place, err := s.roots.Locate(path)
	if err != nil || len(allowed) == 0 {
		return place, err
	}
	again, err := allowed.Locate(place.Path)
	if err != nil {
		place.Dir.Close()
		return nil, err
	}
	again.Dir.Close()
	if again.Path != place.Path || len(again.Missing) > 0 {
		place.Dir.Close()
		return nil, syscall.ESTALE
	}
	return place, nil
}

// openBase opens a folder that was located before, by its real path; it may have gone since, or be something else.
func (s *session) openBase(allowed local.Roots, real string) (endpoint.Dir, error) {
	place, err := s.locate(allowed, real)
	if err != nil {
		return nil, err
	}
	if len(place.Missing) > 0 {
		place.Dir.Close()
		return nil, syscall.ENOENT
	}
	if place.Path != real { // a link by now
		place.Dir.Close()
		return nil, syscall.ELOOP
	}
	return place.Dir, nil
}

// bases are located folders that are kept open, so that they need not be located for each request. One is used only while
// its path still leads to it.
type bases struct {
	mu   sync.Mutex
	open map[string]*base
}

type base struct {
	dir     endpoint.Dir
	info    endpoint.Info
	users   int
	dropped bool
}

// get returns one that is what its path leads to now, nil where there is none.
func (b *bases) get(real string) *base {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.open[real]
	if found == nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Lstat(real, &st) != nil || uint64(st.Dev) != found.info.Device || st.Ino != found.info.Inode {
		b.drop(real)
		return nil
	}
	found.users++
	return found
}

// put takes in a folder that was just opened, and returns the one to use.
func (b *bases) put(real string, dir endpoint.Dir) (*base, error) {
	info, err := dir.Info()
	if err != nil {
		dir.Close()
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for other := range b.open {
		if other == real || len(b.open) >= maxBases {
			b.drop(other)
		}
	}
	if b.open == nil {
		b.open = map[string]*base{}
	}
	b.open[real] = &base{dir: dir, info: info, users: 1}
	return b.open[real], nil
}

func (b *bases) drop(real string) {
	found := b.open[real]
	delete(b.open, real)
	found.dropped = true
	if found.users == 0 {
		found.dir.Close()
	}
}

func (b *bases) release(used *base) {
	b.mu.Lock()
	defer b.mu.Unlock()
	used.users--
	if used.dropped && used.users == 0 {
		used.dir.Close()
	}
}

func (b *bases) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for real := range b.open {
		b.drop(real)
	}
}

// within calls fn with the folder that a request names, as it is now. Others may use the same Dir.
func (s *server) within(in *decoder, fn func(endpoint.Dir) error) error {
	real, names := in.text(), in.text()
	if in.bad {
		return errProtocol
	}
	used, err := s.useBase(real)
	if err != nil {
		return err
	}
	defer s.bases.release(used)
	dir, done, err := descend(used.dir, names)
	if err != nil {
		return err
	}
	defer done()
	return fn(dir)
}

// openAlone opens the folder that a request names for one user: a folder that is open has one position in its listing, and
// one lock.
func (s *server) openAlone(in *decoder) (endpoint.Dir, error) {
	real, names := in.text(), in.text()
	if err := in.err(); err != nil {
		return nil, err
	}
	if names == "" {
		return s.openBase(s.allowed, real)
	}
	used, err := s.useBase(real)
	if err != nil {
		return nil, err
	}
	defer s.bases.release(used)
	dir, _, err := descend(used.dir, names)
	return dir, err
}

func (s *server) useBase(real string) (*base, error) {
	if used := s.bases.get(real); used != nil {
		return used, nil
	}
	dir, err := s.openBase(s.allowed, real)
	if err != nil {
		return nil, err
	}
	return s.bases.put(real, dir)
}

// descend opens the folder that names lead to, one by one. done closes it, unless it is dir itself.
func descend(dir endpoint.Dir, names string) (found endpoint.Dir, done func(), err error) {
	found, done = dir, func() {}
	for names != "" {
		var name string
		name, names, _ = strings.Cut(names, "/")
		next, err := found.OpenDir(name)
		done()
		if err != nil {
			return nil, nil, err
		}
		found, done = next, func() { next.Close() }
	}
	return found, done, nil
}
