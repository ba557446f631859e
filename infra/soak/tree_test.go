package soak

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
)

// shape is what a source is like.
type shape string

const (
	manySmall shape = "many small files"
	fewLarge  shape = "few large files"
	mixed     shape = "a mix"
	single    shape = "one file"
)

// plant makes a source at path.
func (s *soak) plant(path string, of shape) {
	s.Helper()
	must(s.T, os.MkdirAll(filepath.Dir(path), 0o755))
	if of == single {
		s.plantFile(path, 1<<20+s.chance.Int64N(8<<20))
		return
	}
	small, large := 0, 0
	if of != fewLarge {
		small = 100 + s.chance.IntN(400)
	}
	if of != manySmall {
		large = 1 + s.chance.IntN(3)
	}
	for i := range small {
		s.plantFile(fmt.Sprintf("%s/reel %d/take %d.wav", path, i%7, i), s.chance.Int64N(16<<10))
	}
	for i := range large {
		s.plantFile(fmt.Sprintf("%s/roll/clip;%d.mov", path, i), 4<<20+s.chance.Int64N(12<<20))
	}
	s.plantFile(path+"/new\nline", 3)
	must(s.T, os.Mkdir(path+"/nothing in it", 0o755))
	must(s.T, os.Symlink("roll/elsewhere", path+"/link"))
	s.age(path, filepath.Join(path, "nothing in it"))
}

func (s *soak) plantFile(path string, size int64) {
	s.Helper()
	must(s.T, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, pick[os.FileMode](s, 0o644, 0o600, 0o755))
	must(s.T, err)
	defer file.Close()
	var seed [32]byte
	seed[0], seed[1], seed[2] = byte(s.posted), byte(s.posted>>8), byte(size)
	_, err = io.CopyN(file, rand.NewChaCha8(seed), size)
	must(s.T, err)
	must(s.T, file.Close())
	s.age(path)
}

// age gives times of the past, which no writing by chance has.
func (s *soak) age(paths ...string) {
	s.Helper()
	for _, path := range paths {
		then := time.Unix(1_700_000_000+s.chance.Int64N(50_000_000), s.chance.Int64N(1_000_000_000))
		must(s.T, os.Chtimes(path, then, then))
	}
}

// tree is what a transfer keeps, name by name; nil when there is nothing.
type tree map[string]entry

type entry struct {
	is   string // folder, file with its digest, link with its target
	mode fs.FileMode
	when time.Time // of files and folders
}

func (s *soak) tree(top string) tree {
	s.Helper()
	var all tree
	must(s.T, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if path == top && os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{is: "folder", mode: info.Mode(), when: info.ModTime()}
		switch {
		case info.Mode().IsRegular():
			e.is, err = digestOf(path)
		case info.Mode()&fs.ModeSymlink != 0:
			e.is, err = os.Readlink(path)
			e.when = time.Time{} // not every system has one
		}
		if all == nil {
			all = tree{}
		}
		name, _ := filepath.Rel(top, path)
		all[name] = e
		return err
	}))
	return all
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

// files is how many there are, links among them, and how many bytes they have.
func (t tree) files() (n, bytes int64) {
	for _, e := range t {
		if e.mode.IsDir() {
			continue
		}
		n++
		if e.mode.IsRegular() {
			var size int64
			_, _ = fmt.Sscan(e.is, &size) // which its digest begins with
			bytes += size
		}
	}
	return n, bytes
}

// differences tells at most a few names that aren't the same, with times as exact as told.
func (t tree) differences(other tree, exact time.Duration) (found []string) {
	names := maps.Clone(t)
	maps.Copy(names, other)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := t[name], other[name]
		a.when, b.when = a.when.Truncate(exact), b.when.Truncate(exact)
		if len(found) < 5 && (a.is != b.is || a.mode != b.mode || !a.when.Equal(b.when)) {
			found = append(found, fmt.Sprintf("%q is %v, not %v", name, b, a))
		}
	}
	return found
}

// same fails the test when a tree isn't as it must be.
func (s *soak) same(what string, want, got tree, exact time.Duration) {
	s.Helper()
	if differ := want.differences(got, exact); len(differ) > 0 {
		s.Errorf("%s: %s", what, strings.Join(differ, "; "))
	}
}
