package dku

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/transfer"
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

// smokeFolders are those of smokeTree, each after the one that holds it.
var smokeFolders = []string{".", "Audio Files", "Audio Files/deep"}

// makeTrees makes the sources of all trials, and what is in the way of one. The trees are made side by side: where each
// operation takes some milliseconds, one after the other they would take seconds. It ends soon after ctx. Nobody else gets in
// before it is done, and nothing leads out: the allowed root may be anybody's to write to, and this process root's.
func makeTrees(ctx context.Context, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{"from", "to"} {
		if err := makeFolder(ctx, root, name); err != nil {
			return err
		}
	}
	trees := []string{"to/exists"}
	for _, t := range trials {
		trees = append(trees, "from/"+t.tree)
	}
	errs := make([]error, len(trees))
	var making sync.WaitGroup
	for i, tree := range trees {
		making.Go(func() { errs[i] = makeTree(ctx, root, tree) })
	}
	making.Wait()
	return errors.Join(append(errs, root.Chmod(".", 0o755))...)
}

func makeTree(ctx context.Context, root *os.Root, tree string) error {
	for _, name := range smokeFolders {
		if err := fillFolder(ctx, root, tree, name); err != nil {
			return err
		}
	}
	return nil
}

// fillFolder opens the folder once, so that not every file has all of its path looked up.
func fillFolder(ctx context.Context, root *os.Root, tree, name string) error {
	path := filepath.Join(tree, name)
	if err := makeFolder(ctx, root, path); err != nil {
		return err
	}
	folder, err := root.OpenRoot(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	for file, content := range smokeTree {
		if filepath.Dir(file) != name {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := folder.WriteFile(filepath.Base(file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder never makes one that should hold it: what was removed must stay so. The worker may be another user, who moves it.
func makeFolder(ctx context.Context, root *os.Root, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := root.Mkdir(path, 0o700); err != nil {
		return err
	}
	return root.Chmod(path, 0o777) // whatever the umask
}

// sameTree says what distinguishes a folder from smokeTree: every name, every byte.
func sameTree(folder string) error {
	seen := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && foreign(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || foreign(entry.Name()):
			return nil
		}
		seen++
		return sameFile(folder, path)
	})
	if err == nil && seen != len(smokeTree) {
		err = fmt.Errorf("%s holds %d files instead of %d", folder, seen, len(smokeTree))
	}
	return err
}

// foreign are names that systems add by themselves: macOS on shares, and Synology's.
func foreign(name string) bool { return strings.HasPrefix(name, "._") || name == "@eaDir" }

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

// compare proves what a job has done, by content. That there was no time to is context.DeadlineExceeded.
func (s *smoke) compare(ctx context.Context, t trial) error {
	source := s.path("from", t.tree)
	same := func(folder string) error {
		_, err := within(ctx, func() (struct{}, error) { return struct{}{}, sameTree(folder) })
		return err
	}
	if err := same(s.path("to", t.tree)); err != nil {
		return err
	}
	if t.mode != transfer.Move {
		return same(source)
	}
	return gone(ctx, source)
}

// gone looks again until ctx ends: over NFS and SMB this host may see for seconds what the worker's has removed.
func gone(ctx context.Context, path string) error {
	ticker := time.NewTicker(pollJob)
	defer ticker.Stop()
	for {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the source of the move is still there: %s", path)
		case <-ticker.C:
		}
	}
}

// checkUntouched proves that a refused job has altered neither side.
func (s *smoke) checkUntouched(ctx context.Context) error {
	_, err := within(ctx, func() (struct{}, error) {
		return struct{}{}, errors.Join(sameTree(s.path("to", "exists")), sameTree(s.path("from", "exists")))
	})
	return err
}

// leftovers are what is in the destinations besides the trees.
func leftovers(folders []string) (names []string, err error) {
	for _, folder := range folders {
		entries, unread := os.ReadDir(filepath.Join(folder, "to"))
		if !errors.Is(unread, fs.ErrNotExist) {
			err = errors.Join(err, unread)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), ".") && !foreign(entry.Name()) {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return names, err
}
