package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testsshd"
)

// obstacles are what stands in the way of a transfer from the beginning. make returns what takes it away, nil where that
// is nothing.
var obstacles = map[string]struct {
	up, down failure.Code // what uploads and downloads (moves, all of them) fail with
	make     func(b *bench) (remove func())
}{
	"the key is refused": {failure.PortalAuthFailed, failure.PortalAuthFailed, func(b *bench) func() {
		good := b.portal.Target.Credential
		b.portal.Target.Credential.PrivateKey, _ = testsshd.NewKey(b, "")
		return func() { b.portal.Target.Credential = good }
	}},
	"the host's key has changed": {failure.HostKeyMismatch, failure.HostKeyMismatch, func(b *bench) func() {
		good := b.portal.Target.HostKeys
		_, other := testsshd.NewKey(b, "")
		b.portal.Target.HostKeys = []string{other}
		return func() { b.portal.Target.HostKeys = good }
	}},
	"the host is down": {failure.PortalUnreachable, failure.PortalUnreachable, func(b *bench) func() {
		b.sshd.Kill()
		return b.sshd.Restart
	}},
	"the root is missing": {failure.DestinationNotFound, failure.SourceNotFound, func(b *bench) func() {
		away := b.srv + " away"
		b.must(os.Rename(b.srv, away))
		return func() { b.must(os.Rename(away, b.srv)) } // which fails where somebody has made one
	}},
	"the disk is full": {failure.DestinationFull, "", func(b *bench) func() {
		b.write(filepath.Join(b.srv, "other"), strings.Repeat("x", 20<<20))
		return func() { b.must(os.Remove(filepath.Join(b.srv, "other"))) }
	}},
	"the file system is read-only": {failure.DestinationReadOnly, failure.SourcePermissionDenied, func(b *bench) func() {
		b.must(unix.Mount("", b.srv, "", unix.MS_REMOUNT|unix.MS_RDONLY, "size=32m"))
		return func() { b.must(unix.Mount("", b.srv, "", unix.MS_REMOUNT, "size=32m")) }
	}},
}

// mount puts a small file system of its own below the portal's root.
func (b *bench) mount() {
	b.Helper()
	root := b.srv
	b.srv = filepath.Join(root, "volume")
	b.must(os.Mkdir(b.srv, 0o755))
	b.must(unix.Mount("none", b.srv, "tmpfs", 0, "size=32m"))
	b.Cleanup(func() { b.must(unix.Unmount(b.srv, unix.MNT_DETACH)) })
	b.portal.Root = b.srv
}

func TestAnObstacleIsToldByItsCodeAndHarmsNothing(t *testing.T) {
	t.Parallel()
	for name, obstacle := range obstacles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w way, strategy transfer.Strategy, upload bool) {
				b := setup(t, w)
				if strings.HasPrefix(name, "the disk") || strings.HasPrefix(name, "the file system") {
					b.mount()
				}
				spec := b.spec(transfer.Move, strategy, upload)
				source, destination := b.folders(spec)
				b.sample(source, 20)
				if !upload && name == "the disk is full" {
					return // nothing is written there
				}
				b.must(os.MkdirAll(filepath.Dir(destination), 0o755))
				want := b.snapshot(source)
				remove := obstacle.make(b)
				code := obstacle.down
				if upload {
					code = obstacle.up
				}
				if code != "" {
					if strategy == transfer.Direct {
						b.foreseen(spec, code)
					}
					_, err := b.run(t.Context(), spec)
					b.tells(err, code)
				}
				remove()
				if code != "" && (exists(destination) || !b.whole(source, want)) {
					t.Error("a transfer that failed has changed something")
				}
				if left := b.leftovers(); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
				_, err := b.work(spec, func(error) {})
				b.must(err)
				if exists(source) || !b.whole(destination, want) {
					t.Error("the tree was not moved once nothing was in the way")
				}
				b.nothingLeft()
			})
		})
	}
}

func TestADiskThatFillsUpInTheMiddleIsToldAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, w := range ways {
		for _, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
			t.Run(name+" "+string(strategy), func(t *testing.T) {
				t.Parallel()
				b := setup(t, w)
				b.mount()
				p := b.network(0)
				spec := b.spec(transfer.Move, strategy, true)
				source, destination := b.folders(spec)
				b.sample(source, 100)
				want := b.snapshot(source)
				struck := b.midway(p, 1<<20, func() { b.fillUp() })
				_, err := b.run(t.Context(), spec)
				if !struck() {
					t.Fatal("the transfer was done before anything could happen")
				}
				b.tells(err, failure.DestinationFull)
				if exists(destination) || !b.whole(source, want) {
					t.Error("a transfer that failed has changed something")
				}
				b.must(os.Remove(filepath.Join(b.srv, "other")))
				b.nothingLeft()
			})
		}
	}
}

// fillUp is somebody else who takes all that is left.
func (b *bench) fillUp() {
	file, err := os.Create(filepath.Join(b.srv, "other"))
	if err != nil {
		b.Error(err)
		return
	}
	defer file.Close()
	for chunk := make([]byte, 64<<10); err == nil; {
		_, err = file.Write(chunk)
	}
	for err = nil; err == nil; {
		_, err = file.Write([]byte{0})
	}
}

func TestAServerThatWritesNothingIsToldBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	for _, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
		for _, upload := range []bool{true, false} {
			w := ways["sftp only"]
			w.sshd.ReadOnly, w.sshd.Command = true, "internal-sftp -R"
			b := setup(t, w)
			spec := b.spec(transfer.Move, strategy, upload)
			source, destination := b.folders(spec)
			b.sample(source, 20)
			want := b.snapshot(source)
			_, err := b.run(t.Context(), spec)
			if upload {
				b.tells(err, failure.DestinationPermissionDenied)
			} else {
				b.tells(err, failure.SourcePermissionDenied)
			}
			if exists(destination) || !b.whole(source, want) {
				t.Error("a transfer that failed has changed something")
			}
			b.nothingLeft()
			if !upload { // it can be read
				spec.Mode = transfer.Copy
				b.begin()
				_, err := b.work(spec, func(error) {})
				b.must(err)
				if !b.whole(destination, want) {
					t.Error("what can be read was not copied")
				}
			}
		}
	}
}

// TestAnAccountThatMayNotWriteIsTold is about an ordinary user, who is nobody.
func TestAnAccountThatMayNotWriteIsTold(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"agent", "sftp only"} {
		for _, upload := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " upload ", upload), func(t *testing.T) {
				t.Parallel()
				w := ways[name]
				w.sshd.Environment = []string{"KETTER_TEST_USER=65534"}
				b := setup(t, w, func(p *Portal) {
					if name == "sftp only" {
						p.Target.User = "nobody"
					}
				})
				b.open(filepath.Join(filepath.Dir(b.sshd.Home), "authorized_keys")) // which sshd reads as the user
				spec := b.spec(transfer.Move, transfer.Auto, upload)
				source, destination := b.folders(spec)
				b.sample(source, 20)
				b.open(b.srv)
				want := b.snapshot(source)
				if name == "agent" { // SFTP knows nothing of who it is
					b.foreseen(spec, map[bool]failure.Code{true: failure.DestinationPermissionDenied, false: failure.SourcePermissionDenied}[upload])
				}
				_, err := b.run(t.Context(), spec)
				if upload {
					b.tells(err, failure.DestinationPermissionDenied)
				} else if code := failure.CodeOf(err); code != failure.SourcePermissionDenied && code != failure.SourceNotRemoved {
					t.Errorf("%v", err)
				} else {
					b.tells(err, code)
				}
				if !b.whole(source, want) || exists(destination) != (failure.CodeOf(err) == failure.SourceNotRemoved) {
					t.Error("a transfer that failed has changed something")
				}
			})
		}
	}
}

// open lets every user read a path.
func (b *bench) open(path string) {
	b.Helper()
	b.must(os.Chmod(path, 0o755))
	b.must(os.Chmod(filepath.Dir(path), 0o755))
	b.must(os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755))
}
