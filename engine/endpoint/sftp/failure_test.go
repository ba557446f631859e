package sftp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testnet"
	"github.com/ketter/ketter/infra/testsshd"
)

// patient tries again until the test is over.
var patient = sftp.Options{Again: []time.Duration{1, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second}}

func put(t testing.TB, dir endpoint.Dir, name string, content []byte) {
	t.Helper()
	w, err := dir.Create(name, 0o600)
	must(t, err)
	_, err = w.WriteAt(content, 0)
	must(t, errors.Join(err, w.Sync(), w.Close()))
}

func get(t testing.TB, dir endpoint.Dir, name string) []byte {
	t.Helper()
	r, err := dir.Open(name)
	must(t, err)
	defer r.Close()
	content, err := io.ReadAll(r)
	must(t, err)
	return content
}

func code(t testing.TB, err error, want failure.Code) {
	t.Helper()
	if failure.CodeOf(err) != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func TestWhatMayBeDoneTwiceOutlivesTheServer(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	dir := top(t, storage(t, sshd.Target(2), t.TempDir(), patient))
	put(t, dir, "file", []byte("content"))
	r, err := dir.Open("file")
	must(t, err)
	defer r.Close()
	w, err := dir.Create("new", 0o600)
	must(t, err)
	_, err = w.WriteAt([]byte("first "), 0)
	must(t, err)

	sshd.Kill()
	sshd.Restart()
	got := make([]byte, 7)
	if _, err := r.ReadAt(got, 0); err != nil || string(got) != "content" {
		t.Errorf("read %q, %v", got, err)
	}
	_, err = w.WriteAt([]byte("second"), 6)
	must(t, errors.Join(err, w.SetModTime(time.Unix(1e9, 0)), w.Sync(), w.Close()))
	sshd.CutAll()
	if info, err := dir.Lstat("new"); err != nil || info.ModAt.Unix() != 1e9 {
		t.Errorf("there is %+v, %v", info, err)
	}
	if got := get(t, dir, "new"); string(got) != "first second" {
		t.Errorf("the file holds %q", got)
	}
	sshd.CutAll()
	_, err = dir.Space()
	must(t, err)
}

func TestALossIsPortalUnreachable(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	dir := top(t, storage(t, sshd.Target(2), t.TempDir(), sftp.Options{Again: []time.Duration{}}))
	put(t, dir, "file", []byte("content"))
	r, err := dir.Open("file")
	must(t, err)
	w, err := dir.Reopen("file")
	must(t, err)
	sshd.Kill()
	_, err = r.ReadAt(make([]byte, 1), 0)
	code(t, err, failure.PortalUnreachable)
	_, err = w.WriteAt(make([]byte, 1), 0)
	code(t, err, failure.PortalUnreachable)
	code(t, w.Sync(), failure.PortalUnreachable)
	code(t, w.Close(), failure.PortalUnreachable)
	code(t, dir.Mkdir("folder", 0o700), failure.PortalUnreachable)
	code(t, dir.Rename("file", dir, "other"), failure.PortalUnreachable)
	code(t, dir.List(func(endpoint.Entry) error { return nil }), failure.PortalUnreachable)
	_, err = dir.Create("new", 0o600)
	code(t, err, failure.PortalUnreachable)
}

// TestAWriteThatIsCutIsDoneOrFails cuts the network again and again while a file is written: it is right in the end, or the
// writer says that it isn't.
func TestAWriteThatIsCutIsDoneOrFails(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	for what, options := range map[string]sftp.Options{"with patience": patient, "without": {Again: []time.Duration{}}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", sshd.Port), 0)
			target := sshd.Target(4)
			target.Port = proxy.Port()
			dir := top(t, storage(t, target, t.TempDir(), options))
			const chunks, chunk = 64, 1 << 20
			want := make([]byte, chunks*chunk)
			for i := range want {
				want[i] = byte(i*7 + i>>8 + i>>16)
			}
			w, err := dir.Create("file", 0o600)
			must(t, err)
			var all sync.WaitGroup
			errs := make([]error, chunks)
			slots := make(chan bool, 8)
			for i := range chunks {
				slots <- true
				if i%16 == 8 {
					proxy.Cut()
				}
				all.Go(func() {
					_, errs[i] = w.WriteAt(want[i*chunk:(i+1)*chunk], int64(i)*chunk)
					<-slots
				})
			}
			all.Wait()
			written := errors.Join(errs...)
			closed := errors.Join(w.Sync(), w.Close())
			if written != nil && closed == nil {
				t.Fatalf("a write failed, and Sync and Close didn't: %v", written)
			}
			if what == "with patience" && !bytes.Equal(get(t, dir, "file"), want) {
				t.Errorf("the file is different (%v)", closed)
			}
			if what != "with patience" && closed == nil {
				t.Error("nothing failed, in spite of the cuts")
			}
		})
	}
}

func TestASilentNetworkEndsWhatWaits(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", sshd.Port), 0)
	target := sshd.Target(1)
	target.Port = proxy.Port()
	all := remote.NewHosts(remote.Options{KeepAlive: 50 * time.Millisecond, Grace: 50 * time.Millisecond, Handshake: 300 * time.Millisecond})
	defer all.Close()
	s, err := sftp.Open(within(t), all.Host(target), t.TempDir(), sftp.Options{Again: []time.Duration{}})
	must(t, err)
	defer s.Close()
	dir := top(t, s)
	proxy.Swallow()
	_, err = dir.Info()
	code(t, err, failure.PortalUnreachable)
}

func TestOneSessionAConnectionIsEnough(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{MaxSessions: 1})
	dir := top(t, storage(t, sshd.Target(4), t.TempDir(), sftp.Options{}))
	each(t, 200, 16, func(i int) error {
		w, err := dir.Create(fmt.Sprint(i), 0o600)
		if err != nil {
			return err
		}
		return w.Close()
	})
}

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
	defer exec.Command("umount", "-l", mount).Run()
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

func TestAFileThatAnotherTookTheNameOfIsStale(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	root := t.TempDir()
	dir := top(t, storage(t, sshd.Target(1), root, patient))
	put(t, dir, "file", []byte("content"))
	r, err := dir.Open("file")
	must(t, err)
	defer r.Close()
	must(t, os.WriteFile(filepath.Join(root, "new"), []byte("another"), 0o600))
	must(t, os.Chtimes(filepath.Join(root, "new"), time.Time{}, time.Unix(1e9, 0)))
	must(t, os.Rename(filepath.Join(root, "new"), filepath.Join(root, "file")))
	sshd.CutAll()
	_, err = r.ReadAt(make([]byte, 7), 0)
	is(t, err, syscall.ESTALE)
}

func TestASparseSizeAndTimesPastTheirRangeAreKept(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	dir := top(t, storage(t, sshd.Target(1), t.TempDir(), sftp.Options{}))
	w, err := dir.Create("file", 0o640)
	must(t, err)
	must(t, errors.Join(w.Truncate(5<<30), w.SetModTime(time.Unix(math.MaxUint32+5, 0)), w.Close()))
	info, err := dir.Lstat("file")
	must(t, err)
	if info.Size != 5<<30 || info.ModAt.Unix() != math.MaxUint32 || info.Mode&0o137 != 0 {
		t.Errorf("it is %+v", info)
	}
}
