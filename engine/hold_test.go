package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/transfer"
)

// everything is what a tree can hold, kind by kind. Each is made in a folder that is there.
var everything = map[string]func(b *bench, top string){
	"nothing":                           func(*bench, string) {},
	"names of any bytes":                anyNames,
	"paths beyond PATH_MAX":             longPaths,
	"a thousand levels":                 thousandLevels,
	"files and folders of nothing":      emptyOnes,
	"what a desktop leaves":             desktopFiles,
	"small sparse files":                func(b *bench, top string) { sparseFiles(b, top, 1<<20) },
	"large sparse files":                func(b *bench, top string) { sparseFiles(b, top, 12<<20) },
	"modes":                             allModes,
	"hard links":                        hardLinks,
	"many names of large files":         manyNames,
	"symbolic links":                    symbolicLinks,
	"times":                             allTimes,
	"extended attributes":               extendedAttributes,
	"access control lists":              accessControlLists,
	"everything that a sample can hold": func(b *bench, top string) { b.must(os.Remove(top)); b.sample(filepath.Base(top)) },
}

func TestATreeHoldsEverything(t *testing.T) {
	t.Parallel()
	for what, make := range everything {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				top := filepath.Join(b.from, "Day 1")
				b.must(os.Mkdir(top, 0o755))
				outside := filepath.Join(b.from, "outside")
				b.write("from/outside/secret", "secret")
				make(b, top)
				beside := b.snapshot(outside)
				b.arrives(b.spec("Day 1", mode, strategy))
				b.same(b.snapshot(outside), beside)
			})
		})
	}
}

// arrives runs spec, and checks that all of the source has arrived, takes no more space, and that the source is as it was
// or gone.
func (b *bench) arrives(spec transfer.Spec) {
	b.Helper()
	before := b.names(spec.Source)
	result, err := b.run(b.Context(), spec)
	b.must(err)
	after := b.names(spec.FinalPath())
	b.same(lines(after), lines(before))
	if result.Method != methods[spec.Strategy] {
		b.Errorf("result is %+v", result)
	}
	b.noLarger(before, after)
	b.settled(spec.Mode, spec, lines(before))
}

// noLarger checks that no file takes more than it did, apart from how it is cut into blocks.
func (b *bench) noLarger(before, after []name) {
	b.Helper()
	took := map[string]int64{}
	for _, n := range before {
		took[n.path] = n.info.Allocated
	}
	for _, n := range after {
		if n.info.Allocated > took[n.path]+128<<10 {
			b.Errorf("%s takes %d bytes where it took %d", n.path, n.info.Allocated, took[n.path])
		}
	}
}

func (b *bench) file(path, content string) {
	b.Helper()
	b.must(os.WriteFile(path, []byte(content), 0o644))
}

func anyNames(b *bench, top string) {
	for i, name := range []string{"\xff\xfe", "\xc3\x28", "new\nline", "\r", "tab\t", `back\slash`, `"quoted"`, "'", "-rf", "...", "*?[a]",
		"a b ", " ", "é", "e\u0301", "ﬁ", "日本語", "\u202etxt.exe", "CON", "nul.", "a:b", "~", "$HOME", "`id`", "%s%n", "\x01\x7f",
		strings.Repeat("n", 255), strings.Repeat("é", 127) + "x", strings.Repeat("\xff", 255), ".ketter-x-1-y.partial"} {
		b.file(filepath.Join(top, name), fmt.Sprint(i))
		folder := filepath.Join(top, "folders", name)
		b.must(os.MkdirAll(folder, 0o755))
		b.file(filepath.Join(folder, name), name)
		b.must(os.Symlink(name, filepath.Join(folder, "link")))
	}
}

// descend makes folders below top, each in the one before, and calls last with the innermost.
func descend(b *bench, top string, names []string, last func(dir endpoint.Dir)) {
	dir, err := openParent(filepath.Join(top, "x"))
	b.must(err)
	for _, name := range names {
		b.must(dir.Mkdir(name, 0o755))
		next, err := dir.OpenDir(name)
		b.must(err)
		b.must(dir.Close())
		dir = next
	}
	last(dir)
	b.must(dir.Close())
}

func repeated(name string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = name
	}
	return all
}

func put(b *bench, dir endpoint.Dir, name, content string) {
	b.Helper()
	w, err := dir.Create(name, 0o600)
	b.must(err)
	_, err = w.Write([]byte(content))
	b.must(err)
	b.must(w.Close())
}

func longPaths(b *bench, top string) {
	descend(b, top, repeated(strings.Repeat("long", 60), 20), func(dir endpoint.Dir) {
		put(b, dir, "file", "far")
		put(b, dir, "large", strings.Repeat("0123456789abcdef", 1<<19))
		b.must(dir.Link("file", dir, "linked"))
		b.must(dir.Symlink("file", "link"))
	})
}

func thousandLevels(b *bench, top string) {
	descend(b, top, repeated("d", 1000), func(dir endpoint.Dir) { put(b, dir, "bottom", "deep") })
}

func emptyOnes(b *bench, top string) {
	for i := range 20 {
		b.file(filepath.Join(top, fmt.Sprintf("file %d", i)), "")
		b.must(os.MkdirAll(filepath.Join(top, fmt.Sprintf("folder %d/inner/most", i)), 0o755))
	}
}

func desktopFiles(b *bench, top string) {
	for _, name := range []string{".DS_Store", "._A001.wav", "A001.wav", "Thumbs.db", "desktop.ini", ".Spotlight-V100/Store-V2/x",
		".Trashes/501/gone", ".fseventsd/no_log", "._.", "Icon\r", ".AppleDouble/A001.wav"} {
		b.must(os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755))
		b.file(filepath.Join(top, name), name)
	}
}

func sparseFiles(b *bench, top string, size int64) {
	const block = 64 << 10
	b.sparse(filepath.Join(top, "hole at the beginning"), size, size-block)
	b.sparse(filepath.Join(top, "hole in the middle"), size, 0, size-block)
	b.sparse(filepath.Join(top, "hole at the end"), size, 0)
	b.sparse(filepath.Join(top, "holes everywhere"), size, block, size/2, size-3*block)
	b.sparse(filepath.Join(top, "all hole"), size)
	b.sparse(filepath.Join(top, "odd"), size+777, size/2)
	b.file(filepath.Join(top, "zeros but no hole"), strings.Repeat("\x00", 1<<20))
}

func allModes(b *bench, top string) {
	for _, mode := range []uint32{0o444, 0o400, 0o555, 0o000, 0o666, 0o755, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777, 0o2644} {
		allowed := mode | 0o500 // what an ordinary user can read
		if os.Geteuid() == 0 {
			allowed = mode
		}
		file, folder := filepath.Join(top, fmt.Sprintf("file %o", mode)), filepath.Join(top, fmt.Sprintf("folder %o", mode))
		b.file(file, "x")
		b.must(syscall.Chmod(file, mode|allowed&0o400))
		b.must(os.MkdirAll(filepath.Join(folder, "in it"), 0o755))
		b.file(filepath.Join(folder, "file"), "x")
		b.must(syscall.Chmod(folder, allowed))
	}
	b.must(syscall.Chmod(top, 0o1555))
}

// hardLinks has names in one folder, across folders, and outside of the tree.
func hardLinks(b *bench, top string) {
	outside := filepath.Join(b.from, "outside")
	for i, size := range []int{0, 5, 100_000, 9 << 20} {
		first := filepath.Join(top, fmt.Sprintf("file %d", i))
		b.file(first, strings.Repeat(fmt.Sprint(i), size))
		for _, folder := range []string{top, filepath.Join(top, "a"), filepath.Join(top, "b/c")} {
			b.must(os.MkdirAll(folder, 0o755))
			b.must(os.Link(first, filepath.Join(folder, fmt.Sprintf("linked %d", i))))
		}
		b.must(os.Link(first, filepath.Join(outside, fmt.Sprint(i))))
		alone := filepath.Join(outside, fmt.Sprintf("alone %d", i)) // one name within, one without
		b.file(alone, strings.Repeat("alone", size/5))
		b.must(os.Link(alone, filepath.Join(top, fmt.Sprintf("from outside %d", i))))
	}
	b.must(os.Chmod(filepath.Join(top, "linked 1"), 0o400))
}

// manyNames has large files under many names, so that many want to be the first at once.
func manyNames(b *bench, top string) {
	for i := range 3 {
		first := filepath.Join(top, fmt.Sprintf("file %d", i))
		b.file(first, strings.Repeat(fmt.Sprintf("%07d\n", i), 9<<17))
		for j := range 10 {
			folder := filepath.Join(top, fmt.Sprintf("folder %d", j))
			b.must(os.MkdirAll(folder, 0o755))
			b.must(os.Link(first, filepath.Join(folder, fmt.Sprintf("name %d", i))))
		}
	}
}

func symbolicLinks(b *bench, top string) {
	for i, target := range []string{"nowhere", "/etc/passwd", "../../..", "..", ".", "/", "self", "../outside", "../outside/secret",
		"folder/file", strings.Repeat("../", 1300) + "etc/passwd", strings.Repeat("x", 4095), "\xff\n", "a//b/", " "} {
		b.must(os.Symlink(target, filepath.Join(top, fmt.Sprintf("link %d", i))))
	}
	b.must(os.Symlink("self", filepath.Join(top, "self")))
	b.must(os.Mkdir(filepath.Join(top, "folder"), 0o755))
	b.must(os.Symlink("..", filepath.Join(top, "folder/loop")))
}

func allTimes(b *bench, top string) {
	for i, when := range []time.Time{time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Unix(-1, 0), time.Unix(-1_000_000_000, 1),
		time.Unix(-1<<31, 0), time.Unix(1<<31-1, 999_999_999), time.Unix(1<<31, 1), time.Unix(1<<32+5, 123_456_789),
		time.Date(2445, 1, 1, 0, 0, 0, 7, time.UTC)} {
		for _, kind := range []string{"file", "folder", "link"} {
			path := filepath.Join(top, fmt.Sprintf("%s %d", kind, i))
			switch kind {
			case "file":
				b.file(path, "x")
			case "folder":
				b.must(os.Mkdir(path, 0o755))
			default:
				b.must(os.Symlink("x", path))
			}
			b.must(setTime(path, when))
		}
	}
	b.must(setTime(top, time.Unix(-5, 5)))
}

func extendedAttributes(b *bench, top string) {
	b.must(os.MkdirAll(filepath.Join(top, "folder/inner"), 0o755))
	b.file(filepath.Join(top, "folder/file"), "x")
	b.file(filepath.Join(top, "folder/large"), strings.Repeat("large", 2<<20))
	b.file(filepath.Join(top, "read only"), "x")
	for _, path := range []string{".", "folder", "folder/inner", "folder/file", "folder/large", "read only"} {
		for name, value := range map[string]string{"user.empty": "", "user.binary": "\x00\xff\n", "user.long": strings.Repeat("é", 500),
			"user.com.apple.FinderInfo": strings.Repeat("\x00", 32), "user.\xff": "x"} {
			b.attribute(filepath.Join(top, path), name, value)
		}
	}
	b.must(os.Link(filepath.Join(top, "folder/file"), filepath.Join(top, "linked")))
	b.must(os.Chmod(filepath.Join(top, "read only"), 0o400))
	b.must(os.Chmod(filepath.Join(top, "folder"), 0o555))
}

// acl gives user 65534 as much as the owner, up to mask.
func acl(mask byte) string {
	entry := func(tag, permissions byte, id string) string { return string([]byte{tag, 0, permissions, 0}) + id }
	const none = "\xff\xff\xff\xff"
	return "\x02\x00\x00\x00" + entry(0x01, 7, none) + entry(0x02, 7, "\xfe\xff\x00\x00") + entry(0x04, 5, none) +
		entry(0x10, mask, none) + entry(0x20, 0, none) // linux/posix_acl_xattr.h
}

func accessControlLists(b *bench, top string) {
	const access, inherit = "system.posix_acl_access", "system.posix_acl_default"
	for i, mask := range []byte{5, 7, 0} {
		folder := filepath.Join(top, fmt.Sprintf("folder %d", i))
		b.must(os.Mkdir(folder, 0o755))
		b.file(filepath.Join(folder, "plain"), "x") // made before there is anything to inherit
		b.must(os.Mkdir(filepath.Join(folder, "plain folder"), 0o755))
		b.attribute(folder, access, acl(mask))
		b.attribute(folder, inherit, acl(mask))
		b.file(filepath.Join(folder, "inherits"), "x")
		b.must(os.Mkdir(filepath.Join(folder, "inherits too"), 0o755))
		b.file(filepath.Join(top, fmt.Sprintf("file %d", i)), "x")
		b.attribute(filepath.Join(top, fmt.Sprintf("file %d", i)), access, acl(mask))
	}
	b.attribute(top, inherit, acl(5))
}

// TestAFolderOfTenThousandArrives works in memory where it can: to make so many files takes a disk some time.
func TestAFolderOfTenThousandArrives(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setupIn(t, inMemory(t))
		top := filepath.Join(b.from, "Day 1")
		b.must(os.Mkdir(top, 0o755))
		dir, err := openParent(filepath.Join(top, "x"))
		b.must(err)
		for i := range 10_000 {
			put(b, dir, fmt.Sprintf("take %05d.wav", i), "wav")
		}
		b.must(dir.Close())
		b.arrives(b.spec("Day 1", mode, strategy))
	})
}

// inMemory makes a temporary folder on a file system in memory, if there is one.
func inMemory(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "TestInMemory")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	return root
}

// TestASparseFileBeyond4GiBStaysSparse asks for sizes only: to sum so many zeros takes seconds.
func TestASparseFileBeyond4GiBStaysSparse(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.must(os.Mkdir(filepath.Join(b.from, "Day 1"), 0o755))
		b.sparse(filepath.Join(b.from, "Day 1/huge"), 5<<30+3, 100<<10, 1<<32-10, 5<<30-100_000)
		spec := b.spec("Day 1", mode, strategy)
		spec.Verify = transfer.Size
		b.arrives(spec)
	})
}
