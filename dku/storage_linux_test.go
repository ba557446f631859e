package dku

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// againMark tells a test that it is in the process that withMounts started; its value is the test's name.
const againMark = "KETTER_TEST_AGAIN"

// withMounts runs the test again in a mount namespace of its own, whose mounts end with its process, and reports whether
// this is that process. Who isn't root gets a user namespace too, in which he may mount.
func withMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(againMark) == t.Name() {
		return true
	}
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if user := os.Geteuid(); user != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: user, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), againMark+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "--- PASS: "+t.Name()+" ") {
		t.Errorf("in a mount namespace of its own: %v\n%s", err, said)
	}
	return false
}

// mount mounts a tmpfs, whose folder is returned.
func mount(t *testing.T, options string) string {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	return root
}

// lookAt runs the checks of one root.
func lookAt(t *testing.T, root string) map[string]Finding {
	t.Helper()
	p := NewProbe(t.Context(), Target{API: "http://127.0.0.1:1", Roots: []string{root}})
	defer p.Close()
	found := runAll(t.Context(), p.rootChecks(root))
	left, err := filepath.Glob(filepath.Join(root, ScratchPrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v (%v)", left, err)
	}
	return found
}

// expect compares verdicts; what fails must say what to do.
func expect(t *testing.T, found map[string]Finding, want map[string]Verdict) {
	t.Helper()
	for id, verdict := range want {
		if f := found[id]; f.Verdict != verdict || verdict == Fail && f.Advice == "" {
			t.Errorf("%s: %+v", id, f)
		}
	}
}

func TestARootThatIsReadOnlyFails(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	root := mount(t, "size=256m")
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_RDONLY, "size=256m"); err != nil {
		t.Fatal(err)
	}
	found := lookAt(t, root)
	expect(t, found, map[string]Verdict{present: OK, writable: Fail, "storage.space": OK, "storage.rename": Warn, "storage.latency": Warn})
	if !strings.Contains(found[writable].Message, "read-only") {
		t.Errorf("%+v", found[writable])
	}
}

func TestARootThatIsFullFails(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	root := mount(t, "size=1m")
	if err := os.WriteFile(filepath.Join(root, "hog"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	found := lookAt(t, root)
	expect(t, found, map[string]Verdict{present: OK, "storage.space": Fail, "storage.latency": Fail})
	if f := found["storage.latency"]; !strings.Contains(f.Advice, "Free space") {
		t.Errorf("%+v", f)
	}
}

func TestARootWithoutInodesFails(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	root := mount(t, "size=256m,nr_inodes=20")
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(root, fmt.Sprint("hog", i)), nil, 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	expect(t, lookAt(t, root), map[string]Verdict{"storage.inodes": Fail, "storage.space": OK, writable: Fail})
}

func TestARootThatIsMissingOrNoFolderFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{file, file + " that isn't there"} {
		expect(t, lookAt(t, root), map[string]Verdict{present: Fail, writable: Warn, "storage.space": Warn, "storage.rename": Warn})
	}
}

func TestARootThatIsWellIsOK(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	expect(t, lookAt(t, mount(t, "size=256m")), map[string]Verdict{present: OK, writable: OK, "storage.space": OK,
		"storage.inodes": OK, "storage.filesystem": OK, "storage.rename": OK, "storage.reflink": OK})
}
