package engine

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// grow makes a folder of everything a tree may hold: many small files, some large enough to be continued within, one
// with holes, further names of files, and the oddities of sample.
func (b *bench) grow(name string, rng *rand.Rand) {
	b.Helper()
	content := rand.NewChaCha8([32]byte{byte(rng.Uint32()), byte(rng.Uint32())})
	random := func(size int) string {
		p := make([]byte, size)
		_, _ = content.Read(p) // never fails
		return string(p)
	}
	path := func(format string, args ...any) string {
		return filepath.Join("from", name, fmt.Sprintf(format, args...))
	}
	for i := range 60 + rng.IntN(60) {
		b.write(path("reel %d/take %d", i%7, i), random(rng.IntN(1<<uint(rng.IntN(18)))))
	}
	for i := range 1 + rng.IntN(2) {
		b.write(path("roll/%d", i), random(8<<20+rng.IntN(4<<20)))
	}
	b.holed(filepath.Join(b.root, path("roll/sparse")), random(1<<20))
	top := filepath.Join(b.from, name)
	for _, link := range [][2]string{{"reel 0/take 0", "further"}, {"reel 0/take 0", "reel 1/further"}, {"roll/0", "zz further"},
		{"reel 2/take 2", "aa further"}} {
		b.must(os.Link(filepath.Join(top, link[0]), filepath.Join(top, link[1])))
	}
	for _, p := range []string{"reel 0", "reel 3/take 3"} { // not every file system holds it
		_ = unix.Setxattr(filepath.Join(top, p), "user.ketter.test", []byte(p), 0)
	}
	b.sample(name)
}

// holed makes a file of which most is a hole.
func (b *bench) holed(path, content string) {
	b.Helper()
	file, err := os.Create(path)
	b.must(err)
	defer file.Close()
	for _, offset := range []int64{3 << 20, 11 << 20} {
		_, err := file.WriteAt([]byte(content), offset)
		b.must(err)
	}
	b.must(file.Truncate(16 << 20))
	b.must(file.Close())
}

// image is all of a tree that a transfer keeps. What its top looks like stands apart: a folder gets its own mode and time
// after it is published.
type image struct{ top, below string }

func (b *bench) image(top string) image {
	b.Helper()
	lines := strings.Split(b.snapshot(top), "\n")
	lines = append(lines, b.furtherNames(top)...)
	var i image
	for _, line := range lines {
		if strings.HasPrefix(line, `"." `) {
			i.top = line
			continue
		}
		i.below += line + "\n"
	}
	return i
}

// furtherNames tells which names are of one file, what has attributes, and what has holes.
func (b *bench) furtherNames(top string) (lines []string) {
	b.Helper()
	first := map[uint64]string{}
	b.must(filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		rel, _ := filepath.Rel(top, p)
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		if d.Type().IsRegular() && st.Nlink > 1 {
			if first[st.Ino] == "" {
				first[st.Ino] = rel
			}
			lines = append(lines, fmt.Sprintf("%q is %q", rel, first[st.Ino]))
		}
		if d.Type().IsRegular() && st.Size > 1<<20 && st.Blocks*512 < st.Size/2 {
			lines = append(lines, fmt.Sprintf("%q has holes", rel))
		}
		value := make([]byte, 100)
		if n, err := unix.Lgetxattr(p, "user.ketter.test", value); err == nil {
			lines = append(lines, fmt.Sprintf("%q has %q", rel, value[:n]))
		}
		return nil
	}))
	sort.Strings(lines)
	return lines
}

// ownNames makes sure that no file of a tree has a name outside of it, as one has that is in a staging folder, too.
func (b *bench) ownNames(top string) {
	b.Helper()
	missing := map[uint64]int{}
	b.must(filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		if missing[st.Ino]--; missing[st.Ino] == -1 {
			missing[st.Ino] += int(st.Nlink)
		}
		return nil
	}))
	for inode, names := range missing {
		if names != 0 {
			b.Fatalf("the file of inode %d has %d names outside of %s", inode, names, top)
		}
	}
}

// otherFileSystem makes a folder on another file system than dir's where there is one that everybody may write to, else
// beside dir. It reports whether it is another one.
func otherFileSystem(t *testing.T, dir string) (string, bool) {
	t.Helper()
	made, err := os.MkdirTemp("/dev/shm", "TestTorture")
	if err != nil {
		return t.TempDir(), false
	}
	t.Cleanup(func() {
		makeRemovable(made)
		if err := os.RemoveAll(made); err != nil {
			t.Error(err)
		}
	})
	var here, there unix.Stat_t
	if unix.Stat(dir, &here) != nil || unix.Stat(made, &there) != nil {
		return made, false
	}
	return made, here.Dev != there.Dev
}
