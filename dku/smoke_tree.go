package dku

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// smokeTree is what each job of the smoke test transfers: paths and contents, with names and sizes that make trouble elsewhere.
var smokeTree = map[string][]byte{
	"take 01.wav":              bytes.Repeat([]byte("RIFF"), 256),
	"\u9332\u97f3.wav":         []byte("short"),
	"empty.txt":                {},
	"Audio Files/deep/mix.wav": bytes.Repeat([]byte("0123456789abcdef"), 64<<10), // 1 MiB
	"Audio Files/bars'n'tone":  bytes.Repeat([]byte{0}, 4097),
	"Audio Files/-rf":          []byte("a name that programs take for an option"),
	"Audio Files/deep/.hidden": []byte("hidden"),
}

func makeTree(folder string) error {
	for name, content := range smokeTree {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return openToAll(folder)
}

// openToAll lets a worker that runs as another user move the tree.
func openToAll(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o777)
	})
}

// sameTree says what distinguishes a folder from smokeTree: every name, every byte.
func sameTree(folder string) error {
	seen := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		return sameFile(folder, path)
	})
	if err == nil && seen != len(smokeTree) {
		err = fmt.Errorf("%s holds %d files instead of %d", folder, seen, len(smokeTree))
	}
	return err
}

func sameFile(folder, path string) error {
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	want, known := smokeTree[name]
	if !known {
		return fmt.Errorf("%s is one too many", path)
	}
	got, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s differs", path)
	}
	return err
}

// compare proves what a job has done, by content.
func (s *smoke) compare(t trial) error {
	source := filepath.Join(s.folder, "from", t.tree)
	if err := sameTree(filepath.Join(s.folder, "to", t.tree)); err != nil {
		return err
	}
	if t.mode != "move" {
		return sameTree(source)
	}
	if _, err := os.Lstat(source); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the source of the move is still there: %s", source)
	}
	return nil
}

// checkUntouched proves that a refused job has altered neither side.
func (s *smoke) checkUntouched() error {
	return errors.Join(sameTree(filepath.Join(s.folder, "to", "exists")), sameTree(filepath.Join(s.folder, "from", "exists")))
}

// leftovers are what is in the destination besides the trees.
func leftovers(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(folder, "to"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, err
}
