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
// not every tool keeps). Two digests of one process are equal when the trees are.
func Digest(dir string) (uint64, error) {
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
		if !info.Mode().IsRegular() {
			_, err := fmt.Fprintf(&h, "%q %v\n", name, info.Mode())
			return err
		}
		if _, err := fmt.Fprintf(&h, "%q %v %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano()); err != nil {
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
