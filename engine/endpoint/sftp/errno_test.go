package sftp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/infra/testsshd"
)

func TestAReadOnlyAccountRefusesToWrite(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{ReadOnly: true})
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "file"), []byte("content"), 0o600))
	dir := top(t, storage(t, sshd.Target(1), root, sftp.Options{}))
	if got := get(t, dir, "file"); string(got) != "content" {
		t.Errorf("read %q", got)
	}
	_, create := dir.Create("new", 0o600)
	_, reopen := dir.Reopen("file")
	for _, err := range []error{create, reopen, dir.Mkdir("new", 0o700), dir.Remove("file"), dir.Symlink("x", "new"),
		dir.Rename("file", dir, "new"), dir.SetMode("file", 0o644), dir.SetModTime("file", time.Now())} {
		is(t, err, fs.ErrPermission)
	}
}

// small mounts a file system in memory, of so many KiB and files.
func small(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	path := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "ketter-test", path).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", path).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return path
}

func TestAFullStorageIsENOSPC(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	t.Run("of bytes", func(t *testing.T) {
		t.Parallel()
		dir := top(t, storage(t, sshd.Target(2), small(t, "size=8m"), sftp.Options{}))
		space, err := dir.Space()
		must(t, err)
		if space.Bytes != 8<<20 {
			t.Errorf("there is %+v", space)
		}
		w, err := dir.Create("file", 0o600)
		must(t, err)
		_, err = w.WriteAt(make([]byte, 9<<20), 0)
		is(t, err, syscall.ENOSPC)
		is(t, w.Sync(), syscall.ENOSPC)
		is(t, w.Close(), syscall.ENOSPC)
		must(t, dir.Remove("file"))
	})
	t.Run("of files", func(t *testing.T) {
		t.Parallel()
		dir := top(t, storage(t, sshd.Target(2), small(t, "size=8m,nr_inodes=3"), sftp.Options{}))
		put(t, dir, "1", nil)
		put(t, dir, "2", nil)
		_, err := dir.Create("3", 0o600)
		is(t, err, syscall.ENOSPC)
		is(t, dir.Mkdir("3", 0o700), syscall.ENOSPC)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		dir := top(t, storage(t, sshd.Target(2), small(t, "size=8m,ro"), sftp.Options{}))
		_, err := dir.Create("3", 0o600)
		is(t, err, syscall.EROFS)
		is(t, dir.Mkdir("3", 0o700), syscall.EROFS)
	})
}

func TestErrorsAreThoseOfALocalSystem(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	root := t.TempDir()
	s := storage(t, sshd.Target(1), root, sftp.Options{})
	dir := top(t, s)
	put(t, dir, "file", nil)
	must(t, dir.Mkdir("folder", 0o700))
	must(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	_, long := dir.Create(string(bytes.Repeat([]byte("n"), 256)), 0o600)
	is(t, long, syscall.ENAMETOOLONG)
	is(t, dir.Remove("folder"), syscall.EISDIR)
	is(t, dir.RemoveDir("file"), syscall.ENOTDIR)
	_, fifo := dir.Open("fifo")
	is(t, fifo, syscall.ENXIO)
	_, folder := dir.Open("folder")
	is(t, folder, syscall.EISDIR)
	is(t, second(dir.OpenDir("file")), syscall.ENOTDIR)
	is(t, dir.SyncAll(), errors.ErrUnsupported)
	is(t, dir.TryLock(), errors.ErrUnsupported)
	if info, err := dir.Lstat("fifo"); err != nil || info.Type != endpoint.Other {
		t.Errorf("the FIFO is %+v, %v", info, err)
	}
	if caps := dir.Capabilities(); caps.Realm != "" || caps.Epoch != "" || caps.Xattrs || !caps.HardLinks || caps.ModTimeStep != time.Second {
		t.Errorf("capabilities are %+v", caps)
	}
	if d := s.Describe(); d != (sftp.Features{PosixRename: true, Fsync: true, StatVFS: true, HardLink: true}) || len(d.Missing()) != 4 {
		t.Errorf("it has %+v, and lacks %q", d, d.Missing())
	}
}

func TestARenameToAnotherFileSystemIsEXDEV(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	root := t.TempDir()
	dir := top(t, storage(t, sshd.Target(1), root, sftp.Options{}))
	must(t, dir.Mkdir("mount", 0o700))
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	mount := filepath.Join(root, "mount")
	if out, err := exec.Command("mount", "-t", "tmpfs", "ketter-test", mount).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { must(t, exec.Command("umount", "-l", mount).Run()) })
	other, err := dir.OpenDir("mount")
	must(t, err)
	must(t, dir.Mkdir("folder", 0o700))
	must(t, dir.Symlink("x", "link"))
	put(t, dir, "file", []byte("content"))
	for _, name := range []string{"folder", "link", "file"} {
		is(t, dir.Rename(name, other, name), syscall.EXDEV)
		if _, err := dir.Lstat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, other.List(func(e endpoint.Entry) error { return fmt.Errorf("it left %s", e.Name) }))
}
