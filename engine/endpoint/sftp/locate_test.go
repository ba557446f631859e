package sftp_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/testsshd"
)

func TestAPathIsWhereItLeads(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	base := t.TempDir()
	root := filepath.Join(base, "root")
	for _, folder := range []string{"root/a/b", "outside/x", "rooted"} {
		must(t, os.MkdirAll(filepath.Join(base, folder), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	for link, target := range map[string]string{
		"root/in": "a/b", "root/a/up": "../a", "root/out": "../outside", "root/absolute": filepath.Join(root, "a"),
		"root/etc": "/etc", "root/dangling": "nowhere", "root/circle": "circle", "root/below-dangling": "a/nowhere/x",
		"root/twice": "in/../up/b", "link": "root",
	} {
		must(t, os.Symlink(target, filepath.Join(base, link)))
	}
	s := storage(t, sshd.Target(1), filepath.Join(base, "link"), sftp.Options{})
	real, err := filepath.EvalSymlinks(root)
	must(t, err)
	if s.Root() != real {
		t.Fatalf("the root is %s", s.Root())
	}
	for path, want := range map[string]string{
		"root": ". ", "root/a": "a ", "link/a": "a ", "root/in": "a/b ", "root/a/up/b": "a/b ", "root/absolute/b": "a/b ",
		"root/new/folder": ". new folder", "root/in/new": "a/b new", "root/twice": "a/b ",
	} {
		place, err := s.Locate(filepath.Join(base, path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		below, err := filepath.Rel(real, place.Path)
		must(t, err)
		if got := below + " " + strings.Join(place.Missing, " "); got != want || place.Dir.Path() != place.Path {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"", "outside", "rooted", "root/out", "root/out/x", "root/out/new", "root/etc/passwd", "root/dangling",
		"root/dangling/x", "root/circle", "root/below-dangling", "nowhere"} {
		_, err := s.Locate(filepath.Join(base, path))
		code(t, err, failure.PathNotAllowed)
	}
	for _, path := range []string{"root/file", "root/file/x"} {
		is(t, second(s.Locate(filepath.Join(base, path))), syscall.ENOTDIR)
	}
	below := []bool{}
	for _, path := range []string{real, filepath.Dir(real), "/", real + "x", real + "/a"} {
		below = append(below, s.Below(path))
	}
	if !slices.Equal(below, []bool{true, true, true, false, false}) {
		t.Errorf("Below says %v", below)
	}
	must(t, os.RemoveAll(root))
	is(t, second(s.Locate(filepath.Join(real, "a"))), fs.ErrNotExist)
}

func TestAMissingRootIsNotMade(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{})
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	for path, want := range map[string]error{"nowhere": fs.ErrNotExist, "nowhere/below": fs.ErrNotExist, "file": syscall.ENOTDIR, "file/x": fs.ErrNotExist} {
		_, err := sftp.Open(within(t), hosts(t).Host(sshd.Target(1)), filepath.Join(root, path), sftp.Options{})
		is(t, err, want)
	}
	if _, err := os.Lstat(filepath.Join(root, "nowhere")); err == nil {
		t.Error("it was made")
	}
}

func TestAnAccountWithoutSFTPSaysSo(t *testing.T) {
	t.Parallel()
	sshd := testsshd.Start(t, testsshd.Options{Subsystem: "none"})
	_, err := sftp.Open(within(t), hosts(t).Host(sshd.Target(1)), t.TempDir(), sftp.Options{})
	code(t, err, failure.PortalAuthFailed)
	forced := testsshd.Start(t, testsshd.Options{Command: "echo no SFTP here"})
	_, err = sftp.Open(within(t), hosts(t).Host(forced.Target(1)), t.TempDir(), sftp.Options{Again: []time.Duration{}})
	code(t, err, failure.PortalUnreachable)
}

func TestAForcedInternalSFTPInAChrootWorks(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may change its root")
	}
	root, err := os.MkdirTemp("/var/lib", "ketter-test-") // no folder above it may be anybody else's, as /tmp is
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(root)) })
	must(t, os.Chmod(root, 0o755))
	must(t, os.Mkdir(filepath.Join(root, "upload"), 0o700))
	sshd := testsshd.Start(t, testsshd.Options{Command: "internal-sftp", Chroot: root})
	dir := top(t, storage(t, sshd.Target(1), "/upload", sftp.Options{}))
	put(t, dir, "file", []byte("content"))
	if got, err := os.ReadFile(filepath.Join(root, "upload", "file")); err != nil || string(got) != "content" {
		t.Errorf("there is %q, %v", got, err)
	}
}
