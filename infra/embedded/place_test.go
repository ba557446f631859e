package embedded_test

import (
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root has to run PostgreSQL as another user")
	}
}

func TestAsRootTheDatabaseOfAPrivateFolderLiesElsewhere(t *testing.T) {
	asRoot(t)
	b := setup(t)
	home := t.TempDir()
	must(t, os.Chmod(home, 0o700))
	b.stateDir = filepath.Join(home, "checkout", "state")
	b.lock()
	first := b.start()
	dataDir := first.Describe().DataDir
	if !strings.HasPrefix(dataDir, b.elsewhere+string(filepath.Separator)) {
		t.Errorf("the data lies in %s", dataDir)
	}
	found, err := filepath.EvalSymlinks(filepath.Join(b.stateDir, filepath.Base(dataDir)))
	must(t, err)
	if found != dataDir {
		t.Errorf("the state directory leads to %s, the data lies in %s", found, dataDir)
	}
	runsAsOwner(t, first.Describe().PID, dataDir)

	b.query(first, "CREATE TABLE kept AS SELECT 'yes' AS answer")
	b.stop(first)
	if answer := b.query(b.start(), "SELECT answer FROM kept"); answer != "yes" {
		t.Errorf("the table holds %q after a restart", answer)
	}
}

func TestAsRootTheDatabaseOfAReachableFolderLiesInIt(t *testing.T) {
	asRoot(t)
	b := setup(t)
	b.lock()
	server := b.start()
	if dir := filepath.Dir(server.Describe().DataDir); dir != b.stateDir {
		t.Errorf("the data lies in %s", dir)
	}
	runsAsOwner(t, server.Describe().PID, server.Describe().DataDir)
}

func runsAsOwner(t *testing.T, pid int, dataDir string) {
	t.Helper()
	info, err := os.Stat(dataDir)
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner == 0 || info.Mode().Perm() != 0o700 {
		t.Errorf("the data belongs to user %d with mode %s", owner, info.Mode())
	}
	if user := userOf(t, pid); user != owner {
		t.Errorf("the server runs as user %d, its data belongs to %d", user, owner)
	}
}

func userOf(t *testing.T, pid int) uint32 {
	t.Helper()
	if info, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		return info.Sys().(*syscall.Stat_t).Uid
	}
	output, err := exec.Command("ps", "-o", "uid=", "-p", strconv.Itoa(pid)).Output()
	must(t, err)
	uid, err := strconv.ParseUint(strings.TrimSpace(string(output)), 10, 32)
	must(t, err)
	return uint32(uid)
}

// Run as root, the tests above have shown what root needs; this runs them as an ordinary user.
func TestAnOrdinaryUserCanDoAllThis(t *testing.T) {
	asRoot(t)
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	must(t, err)
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	must(t, err)
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	must(t, err)

	dir := reachable(t) // the test binary lies where only root can get to
	binary := filepath.Join(dir, "embedded.test")
	copyFile(t, os.Args[0], binary)
	temp := filepath.Join(dir, "tmp")
	must(t, os.Mkdir(temp, 0o700))
	must(t, os.Chown(temp, int(uid), int(gid)))

	command := exec.Command(binary, "-test.v", "-test.run", "TestDataOutlivesARestart|TestTheServerOfAKilledOwnerIsAdopted")
	command.Dir = temp
	command.Env = append(os.Environ(), "TMPDIR="+temp, "HOME="+temp)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	output, err := command.CombinedOutput()
	if err != nil || strings.Count(string(output), "--- PASS") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	must(t, err)
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	must(t, err)
	_, err = io.Copy(target, source)
	must(t, err)
	must(t, target.Close())
}
