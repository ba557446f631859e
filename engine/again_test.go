package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// againMark tells a test that it is in the process that again started; its value is the test's name.
const againMark = "KETTER_TEST_AGAIN"

// again runs the calling test once more, in a process that attr makes different, and reports whether this is that process;
// how says in which way it is, for messages.
// The first one shows what the other said, and passes, skips or fails as it did: not having run is a failure.
func again(t *testing.T, how string, attr *syscall.SysProcAttr, environment ...string) bool {
	t.Helper()
	if os.Getenv(againMark) == t.Name() {
		return true
	}
	// By this name also a user who may not pass the folder of the binary can start it.
	self := "/proc/self/exe"
	if _, err := os.Stat(self); err != nil {
		if self, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), againMark+"="+t.Name()), environment...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // the race detector would wait a second for others' reports
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Skipf("this test needs a process %s, which this one may not start: %v", how, err)
	}
	err := cmd.Wait()
	t.Log(said.String())
	switch {
	case err != nil:
		t.Errorf("in the process of its own: %v", err)
	case strings.Contains(said.String(), "--- SKIP: "+t.Name()+" "):
		t.Skip("skipped in the process of its own")
	case !strings.Contains(said.String(), "--- PASS: "+t.Name()+" "):
		t.Error("the process of its own ran no test")
	}
	return false
}

// nobody is a user and group without rights.
const nobody = 65534

// asOrdinaryUser runs the test again as nobody if this process is root's, for whom permissions don't count, and reports
// whether this process is an ordinary user's. Before that, root may prepare the folder whose path is os.TempDir() then.
func asOrdinaryUser(t *testing.T, prepare func(dir string)) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		if prepare != nil && os.Getenv(againMark) == "" {
			t.Skip("this test needs root, to make what is someone else's")
		}
		return true
	}
	home := ""
	for _, dir := range []string{os.TempDir(), "/tmp"} {
		if home == "" && passable(dir) {
			home = dir
		}
	}
	folder, err := os.MkdirTemp(home, "ketter-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if prepare != nil {
		prepare(folder)
	}
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Skipf("this test needs to give a folder to another user: %v", err)
	}
	credential := &syscall.Credential{Uid: nobody, Gid: nobody}
	return again(t, "of an ordinary user", &syscall.SysProcAttr{Credential: credential}, "TMPDIR="+folder)
}

// passable reports whether everyone may pass dir and the folders above it.
func passable(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}
