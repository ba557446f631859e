package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// withMounts runs the test again in a mount namespace of its own, whose mounts end with its process, and reports whether
// this is that process. Who isn't root gets a user namespace too, in which he may mount.
func withMounts(t *testing.T) bool {
	t.Helper()
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if user := os.Geteuid(); user != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: user, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if !again(t, "in a mount namespace of its own", attr) {
		return false
	}
	trial := t.TempDir()
	if err := unix.Mount("tmpfs", trial, "tmpfs", 0, ""); err != nil {
		t.Skipf("this test needs the right to mount (CAP_SYS_ADMIN): %v", err)
	}
	if err := unix.Unmount(trial, 0); err != nil {
		t.Fatal(err)
	}
	return true
}

// mount mounts on a folder below the bench's root, which it makes, and returns its path.
func (b *bench) mount(source, at, kind string, flags uintptr, options string) string {
	b.Helper()
	target := filepath.Join(b.root, at)
	b.must(os.MkdirAll(target, 0o755))
	b.must(unix.Mount(source, target, kind, flags, options))
	b.unmountAtEnd(target)
	return target
}

func (b *bench) unmountAtEnd(target string) {
	t := b.T
	t.Cleanup(func() {
		if err := unix.Unmount(target, 0); err != nil {
			t.Errorf("unmounting %s: %v", target, err)
		}
	})
}

// bind mounts a folder of the bench on another one.
func (b *bench) bind(folder, at string) string {
	b.Helper()
	return b.mount(filepath.Join(b.root, folder), at, "", unix.MS_BIND, "")
}

// readOnly makes a folder of the bench read-only, as a volume that is mounted so.
func (b *bench) readOnly(folder string) {
	b.Helper()
	target := b.bind(folder, folder)
	b.must(unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
}

// destinationOn makes the destination a folder on a tmpfs of its own, whose top is returned.
func (b *bench) destinationOn(options string) (volume string) {
	b.Helper()
	volume = b.mount("tmpfs", "volume", "tmpfs", 0, options)
	b.to = filepath.Join(volume, "to")
	b.must(os.Mkdir(b.to, 0o755))
	return volume
}

func TestCauseAReadOnlyDestination(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	for _, destination := range []string{"", "there", "new", "new/and new"} {
		ways(func(mode transfer.Mode, strategy transfer.Strategy) {
			t.Run(fmt.Sprintf("%s %s to %q", mode, strategy, destination), func(t *testing.T) {
				b := setup(t)
				b.small()
				b.write("to/there/theirs", "keep")
				b.readOnly("to")
				unchanged := b.keep(b.from, b.to)
				spec := b.spec("folder", mode, strategy)
				spec.Destination = filepath.Join(b.to, destination)
				_, err := b.run(t.Context(), spec)
				b.told(err, failure.DestinationReadOnly, spec.Destination)
				unchanged()
			})
		})
	}
}

// TestCauseAMoveOfWhatIsMounted: what is read-only or a mount point may be copied; a move is refused before the first byte.
func TestCauseAMoveOfWhatIsMounted(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	cases := map[string]struct {
		mount func(b *bench)
		stays string // what can't be removed
		auto  bool   // whether a rename isn't possible either
	}{
		"a read-only volume": {func(b *bench) { b.readOnly("from") }, "folder", true},
		"a read-only folder": {func(b *bench) { b.readOnly("from/folder/card") }, "folder/card/clip", false},
		"a mount point":      {func(b *bench) { b.mount("tmpfs", "from/folder", "tmpfs", 0, "") }, "folder", true},
		"a mount point below": {func(b *bench) {
			b.mount("tmpfs", "from/folder/card", "tmpfs", 0, "")
			b.write("from/folder/card/clip", "on it")
		}, "folder/card", false},
		"an empty mount point below": {func(b *bench) { b.mount("tmpfs", "from/folder/card", "tmpfs", 0, "") }, "folder/card", false},
	}
	for what, c := range cases {
		ways(func(_ transfer.Mode, strategy transfer.Strategy) {
			if strategy == transfer.Auto && !c.auto {
				return
			}
			t.Run(fmt.Sprint(what, " ", strategy), func(t *testing.T) {
				b := setup(t)
				b.write("from/folder/card/clip", "frames")
				c.mount(b)
				fromUnchanged, toUnchanged := b.keep(b.from), b.keepNames(b.to)
				spec := b.spec("folder", transfer.Move, strategy)
				spec.Destination = filepath.Join(b.to, "new")
				_, err := b.run(t.Context(), spec)
				sentence := b.told(err, failure.SourcePermissionDenied, filepath.Join(b.from, c.stays))
				if !strings.Contains(sentence, "can't be moved") {
					t.Errorf("it says %q", sentence)
				}
				fromUnchanged()
				toUnchanged()
				_, err = b.run(t.Context(), b.spec("folder", transfer.Copy, strategy))
				b.must(err)
				fromUnchanged()
			})
		})
	}
}

func TestCauseAFullDiskIsNoticedBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	// Ten files of a page in a folder: 40960 bytes and 11 inodes. The run's own are three inodes, four with an archive; the
	// volume's are two.
	cases := map[string]struct {
		options  string
		strategy transfer.Strategy
		missing  string // "" if it fits
	}{
		"a page is missing":           {"size=36864", transfer.Direct, "space in * 41.0 kB (40960 bytes) needed, 36.9 kB (36864 bytes) free, 4.1 kB (4096 bytes) missing"},
		"it fits":                     {"size=81920", transfer.Direct, ""},
		"the archive doesn't fit too": {"size=81920", transfer.ZipFirst, "space in * 83.0 kB (82976 bytes) needed, 81.9 kB (81920 bytes) free, 1.1 kB (1056 bytes) missing"},
		"the archive fits too":        {"size=106496", transfer.ZipFirst, ""},
		"an inode is missing":         {"nr_inodes=15", transfer.Direct, "inodes (one for each file and folder) in * 14 needed, 13 free, 1 missing"},
		"the inodes are just enough":  {"nr_inodes=16", transfer.Direct, ""},
		"the archive's inode":         {"nr_inodes=16", transfer.ZipFirst, "inodes (one for each file and folder) in * 15 needed, 14 free, 1 missing"},
		"inodes enough for it":        {"nr_inodes=17", transfer.ZipFirst, ""},
	}
	for what, c := range cases {
		for _, mode := range modes {
			t.Run(fmt.Sprint(what, " ", mode), func(t *testing.T) {
				b := setup(t)
				b.takes(10)
				b.destinationOn(c.options)
				var made atomic.Int64
				b.destination.Before = func(op endpointtest.Op, _ string) error {
					if op == endpointtest.Mkdir || op == endpointtest.Create {
						made.Add(1)
					}
					return nil
				}
				spec := b.spec("folder", mode, c.strategy)
				unchanged := b.keep(b.from, b.to)
				_, err := b.run(t.Context(), spec)
				if c.missing == "" {
					b.must(err)
					return
				}
				sentence := b.told(err, failure.DestinationFull, b.to)
				if want := "Not enough " + strings.Replace(c.missing, "*", b.to+":", 1); sentence != want {
					t.Errorf("it says %q, want %q", sentence, want)
				}
				unchanged()
				if n := made.Load(); n > 0 {
					t.Errorf("%d files and folders were made", n)
				}
				unchanged = b.keepNames(b.from, b.to)
				spec.Destination = filepath.Join(b.to, "new")
				_, err = b.run(t.Context(), spec)
				b.fails(err, failure.DestinationFull)
				unchanged()
			})
		}
	}
}

// TestCauseADiskThatFillsUpWhileItIsWrittenTo takes away what the preflight saw free.
func TestCauseADiskThatFillsUpWhileItIsWrittenTo(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	fills := map[string]func(b *bench, volume string){
		"somebody's file":  func(b *bench, volume string) { b.hog(volume) },
		"a lowered limit":  func(b *bench, volume string) { b.shrink(volume) },
		"somebody's files": func(b *bench, volume string) { b.hogInodes(volume) },
	}
	moments := map[string]struct {
		strategy transfer.Strategy
		op       endpointtest.Op
		at       string // a part of the path
	}{
		"at its beginning":  {transfer.Direct, endpointtest.Mkdir, ".partial"},
		"while it copies":   {transfer.Direct, endpointtest.Create, "/data/folder/"},
		"at the manifest":   {transfer.ZipFirst, endpointtest.Create, "/manifest"},
		"while it packs":    {transfer.ZipFirst, endpointtest.Create, "/archive.zip"},
		"while it unpacks":  {transfer.ZipFirst, endpointtest.Create, "/data/folder/"},
		"before it unpacks": {transfer.ZipFirst, endpointtest.Mkdir, "/data/folder"},
	}
	for by, fill := range fills {
		for when, moment := range moments {
			for _, mode := range modes {
				t.Run(fmt.Sprint(when, " by ", by, " ", mode), func(t *testing.T) {
					b := setup(t)
					b.takes(40)
					volume := b.destinationOn("size=2M,nr_inodes=100")
					unchanged := b.keepNames(b.from, b.to)
					var once sync.Once
					b.destination.Before = func(op endpointtest.Op, path string) error {
						if op == moment.op && strings.Contains(path, moment.at) {
							once.Do(func() { fill(b, volume) })
						}
						return nil
					}
					spec := b.spec("folder", mode, moment.strategy)
					spec.Destination = filepath.Join(b.to, "new")
					_, err := b.run(t.Context(), spec)
					b.toldBelow(err, failure.DestinationFull, spec.Destination)
					if !errors.Is(err, syscall.ENOSPC) {
						t.Errorf("it wasn't the disk: %v", err)
					}
					unchanged()
				})
			}
		}
	}
}

// hog takes all the space that is left on a volume.
func (b *bench) hog(volume string) {
	f, err := os.Create(filepath.Join(volume, "hog"))
	b.must(err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		b.Error(err)
	}
}

// hogInodes takes all the inodes that are left.
func (b *bench) hogInodes(volume string) {
	var err error
	for i := 0; err == nil; i++ {
		var f *os.File
		if f, err = os.Create(filepath.Join(volume, fmt.Sprint("hog", i))); err == nil {
			f.Close()
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		b.Error(err)
	}
}

// shrink lowers a tmpfs's limit to what is used of it.
func (b *bench) shrink(volume string) {
	var st unix.Statfs_t
	b.must(unix.Statfs(volume, &st))
	used := (int64(st.Blocks) - int64(st.Bfree)) * st.Bsize
	b.must(unix.Mount("", volume, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", max(used, st.Bsize)))) // 0 is no limit
}

// TestCauseSourceAndDestinationThatAreOneByAMount: paths and links don't show it.
func TestCauseSourceAndDestinationThatAreOneByAMount(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	cases := map[string]struct {
		folder, at, source, destination string
		code                            failure.Code
	}{
		"a folder of the source":           {"from/folder/sub", "bound", "from/folder", "bound", failure.DestinationInsideSource},
		"the source":                       {"from/folder", "bound", "from/folder", "bound", failure.DestinationInsideSource},
		"a new folder in the source":       {"from/folder/sub", "bound", "from/folder", "bound/new", failure.DestinationInsideSource},
		"new folders in the source":        {"from/folder/sub", "bound", "from/folder", "bound/new/er", failure.DestinationInsideSource},
		"a source that is bound":           {"from", "bound", "bound/folder", "from/folder/sub", failure.DestinationInsideSource},
		"the folder that the source is in": {"from", "bound", "from/folder", "bound", failure.SourceInsideDestination},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			b := setup(t)
			b.small()
			b.bind(c.folder, c.at)
			unchanged := b.keep(b.from)
			for _, mode := range modes {
				spec := b.spec("folder", mode, transfer.Auto)
				spec.Source, spec.Destination = filepath.Join(b.root, c.source), filepath.Join(b.root, c.destination)
				_, err := b.engine.Plan(t.Context(), spec)
				b.toldBelow(err, c.code, b.root)
				unchanged()
			}
		})
	}
}

// command runs a program that a test needs.
func (b *bench) command(name string, args ...string) {
	b.Helper()
	if out, err := exec.CommandContext(b.Context(), name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// needs skips a test that can't be done without root's loop devices and these programs.
func needs(t *testing.T, programs map[string]string) {
	t.Helper()
	for program, of := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("this test needs %s: apt-get install %s", program, of)
		}
	}
	if err := unix.Access("/dev/loop-control", unix.R_OK|unix.W_OK); err != nil {
		t.Skipf("this test needs loop devices: %v", err)
	}
}

// fileSystemIn makes a file system in a file, of size bytes.
func (b *bench) fileSystemIn(path string, size int64, mkfs ...string) {
	b.Helper()
	f, err := os.Create(path)
	b.must(err)
	b.must(errors.Join(f.Truncate(size), f.Close()))
	b.command(mkfs[0], append(mkfs[1:], path)...)
}

// mountImage mounts such a file, and skips the test if the system can't.
func (b *bench) mountImage(image, at, kind string) (target string, unmount func()) {
	b.Helper()
	target = filepath.Join(b.root, at)
	b.must(os.MkdirAll(target, 0o755))
	out, err := exec.CommandContext(b.Context(), "mount", "-t", kind, "-o", "loop", image, target).CombinedOutput()
	if err != nil {
		b.Skipf("this system can't mount %s: %v: %s", kind, err, out)
	}
	t := b.T
	unmount = sync.OnceFunc(func() {
		if err := unix.Unmount(target, 0); err != nil {
			t.Errorf("unmounting %s: %v", target, err)
		}
	})
	t.Cleanup(unmount)
	return target, unmount
}

// TestCauseASourceOnABrokenDisk reads a file whose blocks are there no longer.
func TestCauseASourceOnABrokenDisk(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	needs(t, map[string]string{"mkfs.ext4": "e2fsprogs"})
	for _, verify := range []transfer.Verify{transfer.Checksum, transfer.None} {
		for _, mode := range modes {
			for _, strategy := range strategies {
				t.Run(fmt.Sprint(mode, " ", strategy, " ", verify), func(t *testing.T) {
					b := setup(t)
					image := filepath.Join(b.root, "image")
					b.fileSystemIn(image, 8<<20, "mkfs.ext4", "-q", "-O", "^has_journal")
					_, unmount := b.mountImage(image, "from", "ext4")
					b.write("from/folder/clip.mov", strings.Repeat("frames", 1<<20-1000))
					unmount()
					b.mountImage(image, "from", "ext4") // nothing of it is in memory now
					b.must(os.Truncate(image, 4<<20))
					unchanged := b.keepNames(b.to)
					spec := b.spec("folder", mode, strategy)
					spec.Verify = verify
					_, err := b.run(t.Context(), spec)
					b.told(err, failure.IOError, filepath.Join(spec.Source, "clip.mov"))
					if !errors.Is(err, syscall.EIO) {
						t.Error(err)
					}
					unchanged()
					b.holds(spec.Source, "clip.mov")
				})
			}
		}
	}
}

// TestCauseADestinationThatLiesAboutItsSpace: a volume of a storage that promised more than it has takes all that is
// written, and fails when it is to be made durable.
func TestCauseADestinationThatLiesAboutItsSpace(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	needs(t, map[string]string{"mkfs.ext4": "e2fsprogs"})
	for _, mode := range modes {
		for _, strategy := range strategies {
			t.Run(fmt.Sprint(mode, " ", strategy), func(t *testing.T) {
				b := setup(t)
				storage := b.mount("tmpfs", "storage", "tmpfs", 0, "size=4M")
				b.fileSystemIn(filepath.Join(storage, "image"), 32<<20, "mkfs.ext4", "-q", "-O", "^has_journal")
				b.mountImage(filepath.Join(storage, "image"), "to", "ext4")
				b.write("from/folder/clip.mov", strings.Repeat("frames", 1<<20))
				unchanged := b.keep(b.from)
				spec := b.spec("folder", mode, strategy)
				_, err := b.run(t.Context(), spec)
				b.toldBelow(err, failure.IOError, b.to)
				unchanged()
				b.holds(b.to, "lost+found")
			})
		}
	}
}

// TestCauseNamesThatAreOneOnExFAT is TestCauseNamesThatAreOneAtTheDestination on what camera cards and shuttle drives are
// formatted with.
func TestCauseNamesThatAreOneOnExFAT(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	b := setup(t)
	b.onExFAT("to")
	cases := map[string]struct {
		names []string
		code  failure.Code
		at    string // in whichever case
	}{
		"files":         {[]string{"Take.wav", "take.WAV"}, failure.NameConflict, "take.wav"},
		"folders":       {[]string{"Sub/x", "SUB/y"}, failure.NameConflict, "sub"},
		"files below":   {[]string{"a/b/é", "a/b/É"}, failure.NameConflict, "é"},
		"not UTF-8":     {[]string{"fine", "\xff"}, failure.NameConflict, "\xff"},
		"just as names": {[]string{"Take.wav", "take2.WAV", "a/b/c"}, "", ""},
	}
	for what, c := range cases {
		for _, mode := range modes {
			for _, strategy := range strategies {
				source := fmt.Sprint(what, " ", mode, " ", strategy)
				t.Run(source, func(t *testing.T) {
					b.T = t
					for _, name := range c.names {
						b.write(filepath.Join("from", source, name), name)
					}
					unchanged := b.keep(b.from)
					spec := b.spec(source, mode, strategy)
					_, err := b.run(t.Context(), spec)
					if c.code == "" {
						b.must(err)
						b.must(b.engine.CleanUp(t.Context(), spec))
						b.holds(b.to, source)
						b.must(os.RemoveAll(spec.FinalPath()))
						return
					}
					if path := b.toldBelow(err, c.code, b.to); !strings.EqualFold(filepath.Base(path), c.at) {
						t.Errorf("the path is %s", path)
					}
					unchanged()
					b.holds(b.to)
				})
			}
		}
	}
}

func TestCauseAFinalNameThatIsTakenInAnotherCaseOnExFAT(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	b := setup(t)
	b.onExFAT("to")
	b.write("from/Session/x", "new")
	b.write("to/SESSION/theirs", "old")
	ways(func(mode transfer.Mode, strategy transfer.Strategy) {
		spec := b.spec("Session", mode, strategy)
		b.refused(spec, failure.DestinationExists, spec.FinalPath())
	})
}

// onExFAT mounts a new exFAT, by the kernel or by FUSE, whichever the system has.
func (b *bench) onExFAT(at string) {
	b.Helper()
	needs(b.T, map[string]string{"mkfs.exfat": "exfatprogs"})
	image := filepath.Join(b.root, "image")
	b.fileSystemIn(image, 16<<20, "mkfs.exfat")
	kind := "exfat"
	if _, err := exec.LookPath("mount.exfat-fuse"); err == nil {
		kind = "exfat-fuse"
	}
	b.mountImage(image, at, kind)
}
