package local

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
)

// storages are the file systems that the suite is run on besides that of the temporary folder, with what makes them. Their
// mounts have no place in the tree of files: they go when the last descriptor is closed, so a test that is killed leaves
// nothing behind.
var storages = map[string]struct {
	mkfs   []string // none for one in memory
	clones bool
}{
	"tmpfs": {nil, false},
	"ext4":  {[]string{"mkfs.ext4", "-q", "-F"}, false},
	"btrfs": {[]string{"mkfs.btrfs", "-q"}, true},
	"xfs":   {[]string{"mkfs.xfs", "-q", "-m", "reflink=1"}, true},
}

func eachStorage(t *testing.T, test func(t *testing.T, root endpoint.Dir, clones bool)) {
	t.Parallel()
	for name, storage := range storages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, mounted(t, name, storage.mkfs), storage.clones)
		})
	}
}

// mounted makes an empty file system and returns its top.
func mounted(t *testing.T, kind string, mkfs []string) endpoint.Dir {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	must := func(what string, err error) {
		t.Helper()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOSYS) {
			t.Skipf("%s: this system has no %s to mount, or forbids it: %v", what, kind, err)
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	source := ""
	if mkfs != nil {
		tool, err := exec.LookPath(mkfs[0])
		if err != nil {
			t.Skipf("%s is not installed (Debian: e2fsprogs, btrfs-progs, xfsprogs)", mkfs[0])
		}
		image := filepath.Join(t.TempDir(), "image")
		must("make image", os.WriteFile(image, nil, 0o600))
		must("make image", os.Truncate(image, 512<<20)) // xfs wants 300 MiB; it is a hole
		if out, err := exec.Command(tool, append(mkfs[1:], image)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", mkfs[0], err, out)
		}
		loop, err := attach(image)
		must("attach loop device", err)
		defer loop.Close() // the mount holds it from then on, and lets go of it at its end
		source = loop.Name()
	}
	context, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	must("fsopen", err)
	defer unix.Close(context)
	if source != "" {
		must("fsconfig", unix.FsconfigSetString(context, "source", source))
	}
	must("mount", unix.FsconfigCreate(context))
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	must("fsmount", err)
	defer unix.Close(mount)
	root, err := openDirAt(mount, ".", "/"+kind)
	must("open", err)
	t.Cleanup(func() { root.Close() })
	return root
}

// attach makes a loop device of image that goes when nobody uses it any more.
func attach(image string) (*os.File, error) {
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("no loop devices: %w", unix.ENODEV)
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("no loop device: %w", unix.ENODEV)
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if err != unix.EBUSY { // else somebody else took it first
			return nil, err
		}
	}
}

func TestConformanceOnOtherFileSystems(t *testing.T) {
	eachStorage(t, func(t *testing.T, root endpoint.Dir, _ bool) {
		var n atomic.Int64
		endpointtest.Run(t, func(t *testing.T) endpoint.Dir { return made(t, root, fmt.Sprint("d", n.Add(1))) })
	})
}

func made(t *testing.T, in endpoint.Dir, name string) endpoint.Dir {
	t.Helper()
	must(t, in.Mkdir(name, 0o700))
	dir, err := in.OpenDir(name)
	must(t, err)
	t.Cleanup(func() { dir.Close() })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestACloneTakesNoSpace(t *testing.T) {
	eachStorage(t, func(t *testing.T, root endpoint.Dir, clones bool) {
		const size = 32 << 20
		w, err := root.Create("file", 0o600)
		must(t, err)
		_, err = w.Write([]byte(strings.Repeat("0123456789abcdef", size/16)))
		must(t, errors.Join(err, w.Sync(), w.Close()))
		r, err := root.Open("file")
		must(t, err)
		defer r.Close()
		before, err := root.Space()
		must(t, err)
		clone, err := root.Create("clone", 0o600)
		must(t, err)
		defer clone.Close()
		err = clone.Clone(r)
		if errors.Is(err, errors.ErrUnsupported) != !clones {
			t.Fatalf("Clone: %v", err)
		}
		if !clones {
			return
		}
		must(t, err)
		must(t, root.SyncAll())
		after, err := root.Space()
		must(t, err)
		if took := int64(before.Bytes) - int64(after.Bytes); took > size/4 {
			t.Errorf("a clone of %d bytes took %d", size, took)
		}
	})
}

func TestHolesTakeNoSpaceAndAreSeen(t *testing.T) {
	eachStorage(t, func(t *testing.T, root endpoint.Dir, _ bool) {
		const size = 5 << 30 // past what 32 bits hold
		w, err := root.Create("file", 0o600)
		must(t, err)
		_, err = w.WriteAt(make([]byte, 1<<20), size/2)
		must(t, errors.Join(err, w.Truncate(size), w.Sync(), w.Close()))
		info, err := root.Lstat("file")
		must(t, err)
		if info.Size != size || info.Allocated < 1<<20 || info.Allocated > 2<<20 {
			t.Errorf("it is %+v", info)
		}
		r, err := root.Open("file")
		must(t, err)
		defer r.Close()
		start, end, err := r.NextData(0, size)
		if start != size/2 || end != size/2+1<<20 || err != nil {
			t.Errorf("data from %d to %d, %v", start, end, err)
		}
		if start, end, err = r.NextData(end, size); start != size || end != size || err != nil {
			t.Errorf("after that from %d to %d, %v", start, end, err)
		}
	})
}

func TestReservedSpaceIsTakenAtOnceAndAFullStorageSaysSo(t *testing.T) {
	eachStorage(t, func(t *testing.T, root endpoint.Dir, _ bool) {
		w, err := root.Create("file", 0o600)
		must(t, err)
		defer w.Close()
		err = w.Preallocate(8 << 20)
		if errors.Is(err, errors.ErrUnsupported) && strings.HasSuffix(t.Name(), "/tmpfs") {
			return // not worth it in memory
		}
		must(t, err)
		info, err := root.Lstat("file")
		must(t, err)
		if info.Size != 0 || info.Allocated < 8<<20 {
			t.Errorf("reserved: %+v", info)
		}
		space, err := root.Space()
		must(t, err)
		if space.Bytes > math.MaxInt64/2 {
			t.Skip("it has no end")
		}
		if err := w.Preallocate(int64(space.Bytes) + 1<<30); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("more than there is: %v", err)
		}
	})
}

func TestAccessControlListsComeBack(t *testing.T) {
	eachStorage(t, func(t *testing.T, root endpoint.Dir, _ bool) {
		if !root.Capabilities().Xattrs {
			t.Error("it says that it holds no attributes")
		}
		folder := made(t, root, "folder")
		access := endpoint.Xattr{Name: "system.posix_acl_access", Value: acl}
		inherit := endpoint.Xattr{Name: "system.posix_acl_default", Value: acl}
		w, err := folder.Create("file", 0o600)
		must(t, err)
		defer w.Close()
		must(t, w.SetXattrs([]endpoint.Xattr{access}))
		must(t, w.SetMode(0o640)) // keeps the list: its mask is what a mode says of the group
		must(t, folder.SetXattrs([]endpoint.Xattr{access, inherit}))
		r, err := folder.Open("file")
		must(t, err)
		defer r.Close()
		file, err := r.Xattrs()
		must(t, err)
		of, err := folder.Xattrs()
		must(t, err)
		if len(file) != 1 || string(file[0].Value) != string(acl) || len(of) != 2 || string(of[0].Value) != string(acl) {
			t.Errorf("file has %q, folder %q", file, of)
		}
		for _, machine := range []string{"security.ketter", "trusted.ketter"} {
			if err := w.SetXattrs([]endpoint.Xattr{{Name: machine, Value: []byte("x")}}); err != unix.EINVAL {
				t.Errorf("%s: %v", machine, err)
			}
			must(t, unix.Fsetxattr(w.(*writer).fd, machine, []byte("x"), 0))
		}
		if again, err := r.Xattrs(); err != nil || len(again) != 1 {
			t.Errorf("attributes that are the machine's are listed: %q, %v", again, err)
		}
	})
}

// acl is rw-, user 65534 rw-, group r--, mask r--, others ---, as acl(5) and linux/posix_acl_xattr.h have it: a
// version, then tag, permissions and id of each entry.
var acl = []byte("\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\xfe\xff\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
	"\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")
