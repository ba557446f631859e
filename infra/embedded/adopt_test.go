package embedded_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheServerOfAKilledOwnerIsAdopted(t *testing.T) {
	b := setup(t)
	owner, pid := b.startOwner()
	must(t, owner.Process.Kill())
	_ = owner.Wait()

	b.lock()
	server := b.start()
	if description := server.Describe(); !description.Adopted || description.PID != pid {
		t.Fatalf("pid %d was left alive, and this came of it: %s, pid %d", pid, description, description.PID)
	}
	b.query(server, "SELECT 'it answers'")
	b.stop(server)
	wait(t, "the adopted server is gone", server.Done())
	must(t, server.Err())
	if err := ping(t.Context(), server.URL()); err == nil {
		t.Error("the adopted server answers after Stop")
	}
}

func TestAnAdoptedServerThatDiesIsNoticed(t *testing.T) {
	b := setup(t)
	owner, pid := b.startOwner()
	must(t, owner.Process.Kill())
	_ = owner.Wait()
	server := b.start()
	must(t, syscall.Kill(pid, syscall.SIGQUIT))
	wait(t, "the death is noticed", server.Done())
	if server.Err() == nil {
		t.Error("a killed server has no error")
	}
}

func TestAServerThatDoesNotAnswerIsReplaced(t *testing.T) {
	b := setup(t)
	owner, pid := b.startOwner()
	must(t, owner.Process.Kill())
	_ = owner.Wait()
	must(t, syscall.Kill(pid, syscall.SIGSTOP))

	server := b.start()
	if description := server.Describe(); description.Adopted || description.PID == pid {
		t.Fatalf("a suspended server was adopted: %s", description)
	}
	b.query(server, "SELECT 'it answers'")
}

func TestARecycledPidIsNeitherBelievedNorSignalled(t *testing.T) {
	b := setup(t)
	server := b.start()
	b.stop(server)
	dataDir := server.Describe().DataDir

	stranger := exec.Command("sleep", "600")
	info, err := os.Stat(dataDir)
	must(t, err)
	if os.Geteuid() == 0 { // PostgreSQL is misled by processes of its own user only
		owner := info.Sys().(*syscall.Stat_t)
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	must(t, stranger.Start())
	ended := make(chan struct{})
	go func() { _ = stranger.Wait(); close(ended) }()
	t.Cleanup(func() { _ = stranger.Process.Kill(); <-ended })
	stale := fmt.Sprintf("%d\n%s\n1700000000\n5432\n\n127.0.0.1\n\nready   \n", stranger.Process.Pid, dataDir)
	must(t, os.WriteFile(filepath.Join(dataDir, "postmaster.pid"), []byte(stale), 0o644))

	again := b.start()
	if again.Describe().Adopted {
		t.Error("a sleep was adopted")
	}
	select {
	case <-ended:
		t.Error("a process that is none of ours was ended")
	default:
	}
}

func TestAServerOfACopiedStateDirectoryIsLeftAlone(t *testing.T) {
	b := setup(t)
	original := b.start()
	copied := bench{t: t, stateDir: b.stateDir + "-copy", elsewhere: b.elsewhere}
	if output, err := exec.Command("cp", "-a", b.stateDir, copied.stateDir).CombinedOutput(); err != nil {
		// A file may vanish while a live database is copied; that does not matter here.
		t.Logf("%v: %s", err, output)
	}
	own := copied.start()
	if own.Describe().Adopted || own.Describe().PID == original.Describe().PID {
		t.Fatal("the copy took the original's server")
	}
	if !strings.HasPrefix(own.Describe().DataDir, copied.stateDir) {
		t.Errorf("the copy's data lies in %s", own.Describe().DataDir)
	}
	b.query(original, "SELECT 'it still answers'")
}
