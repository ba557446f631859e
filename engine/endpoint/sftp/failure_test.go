package sftp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
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
	all := remote.NewHosts(remote.Options{KeepAlive: 100 * time.Millisecond, Misses: 20, Grace: 50 * time.Millisecond})
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
