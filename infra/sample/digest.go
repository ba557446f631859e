package sample

import (
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

var seed = maphash.MakeSeed()

// Digest sums up a tree: names, modes, sizes, times and contents of its files, and names and modes of its folders (whose times
// not every tool keeps). Two digests of one process are equal when the trees are. A file is a tree of its own.
func Digest(dir string) (uint64, error) {
	return sum(dir, aspect{attributes: true, contents: true})
}

// Contents is Digest for storages that keep neither modes nor times: names, sizes and contents.
func Contents(dir string) (uint64, error) { return sum(dir, aspect{contents: true}) }

// Outline is Digest without reading the files: it tells whether a tree was touched.
func Outline(dir string) (uint64, error) { return sum(dir, aspect{attributes: true}) }

// aspect is what of a tree counts.
type aspect struct{ attributes, contents bool }

func sum(dir string, counts aspect) (uint64, error) {
	var h maphash.Hash
	h.SetSeed(seed)
	buffer := make([]byte, 1<<20)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(&h, counts.line(name, info)); err != nil || !counts.contents || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyBuffer(&h, f, buffer)
		return err
	})
	return h.Sum64(), err
}

func (a aspect) line(name string, info fs.FileInfo) string {
	mode, time := info.Mode(), info.ModTime().UnixNano()
	if !a.attributes {
		mode, time = mode.Type(), 0
	}
	if !info.Mode().IsRegular() {
		return fmt.Sprintf("%q %v\n", name, mode)
	}
	return fmt.Sprintf("%q %v %d %d\n", name, mode, info.Size(), time)
}
