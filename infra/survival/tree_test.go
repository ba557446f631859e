package survival

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// plantFile makes a file of random content at the source.
func (b *bench) plantFile(name string, size int64) {
	b.Helper()
	path := filepath.Join(b.from, name)
	must(b.T, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	must(b.T, err)
	defer file.Close()
	var seed [32]byte
	copy(seed[:], name)
	_, err = io.CopyN(file, rand.NewChaCha8(seed), size)
	must(b.T, err)
	must(b.T, file.Close())
}

// plantTree makes a folder of many small files and some large ones at the source.
func (b *bench) plantTree(name string, small, large int, size int64) {
	b.Helper()
	for i := range small {
		b.plantFile(fmt.Sprintf("%s/reel %d/take %d", name, i%7, i), int64(i*997%40_000))
	}
	for i := range large {
		b.plantFile(fmt.Sprintf("%s/roll/clip %d", name, i), size+int64(i))
	}
}

// picture is a tree, name by name; nil when there is nothing.
type picture map[string]string

// contentOf is what a transfer must keep of a tree.
func (b *bench) contentOf(top string) picture {
	b.Helper()
	return b.picture(top, func(unix.Stat_t) string { return "" })
}

// everythingOf is all that a stray write would change.
func (b *bench) everythingOf(top string) picture {
	b.Helper()
	return b.picture(top, func(s unix.Stat_t) string {
		return fmt.Sprintf(" inode %d modified %d changed %d", s.Ino, s.Mtim.Nano(), s.Ctim.Nano())
	})
}

func (b *bench) picture(top string, more func(unix.Stat_t) string) picture {
	b.Helper()
	var p picture
	must(b.T, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if path == top && os.IsNotExist(err) {
			return nil
		}
		var stat unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &stat)
		}
		what := "folder"
		if err == nil && d.Type().IsRegular() {
			what, err = digestOf(path)
		}
		if err != nil {
			return err
		}
		if p == nil {
			p = picture{}
		}
		name, _ := filepath.Rel(top, path)
		p[name] = fmt.Sprintf("%s mode %o%s", what, stat.Mode, more(stat))
		return nil
	}))
	return p
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := xxhash.New()
	size, err := io.Copy(h, file)
	return fmt.Sprintf("%d bytes %016x", size, h.Sum64()), err
}

// differences tells at most a few names of which two pictures don't say the same.
func (p picture) differences(q picture) []string {
	var found []string
	names := slices.Collect(maps.Keys(p))
	for name := range q {
		if _, both := p[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if p[name] != q[name] && len(found) < 5 {
			found = append(found, fmt.Sprintf("%q: %q, not %q", name, q[name], p[name]))
		}
	}
	return found
}

// same fails the test when a tree isn't as it must be.
func (b *bench) same(what string, want, got picture) {
	b.Helper()
	if differ := want.differences(got); len(differ) > 0 {
		b.Errorf("%s: %s", what, strings.Join(differ, "; "))
	}
}

// staged waits until the runs of any job have that much under way in the destination. It reports false when the final name
// is there before.
func (b *bench) staged(o order, bytes int64) bool {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(o.final()); err == nil {
			return false
		}
		if b.bytesStaged(o) >= bytes {
			return true
		}
	}
	b.Fatalf("%v: nothing is staged", o)
	return false
}

// bytesStaged adds up the files in the destination's staging folders. What vanishes meanwhile counts as nothing.
func (b *bench) bytesStaged(o order) (sum int64) {
	b.Helper()
	folders, err := filepath.Glob(filepath.Join(o.Destination, ".ketter-*"))
	must(b.T, err)
	for _, folder := range folders {
		_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			var stat unix.Stat_t
			if err == nil && d.Type().IsRegular() && unix.Lstat(path, &stat) == nil {
				sum += stat.Size
			}
			return nil
		})
	}
	return sum
}
