package embedded_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ketter/ketter/infra/embedded"
)

func TestAStateDirectoryHasOneOwner(t *testing.T) {
	stateDir := filepath.Join(t.TempDir(), "state")
	release, err := embedded.LockState(stateDir)
	must(t, err)
	_, err = embedded.LockState(stateDir)
	if err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("a second owner is told: %v", err)
	}
	release()
	release, err = embedded.LockState(stateDir)
	must(t, err)
	release()
}

func TestADeadOwnerHoldsNothing(t *testing.T) {
	b := setup(t)
	owner, _ := b.startOwner()
	_, err := embedded.LockState(b.stateDir)
	if err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(owner.Process.Pid)+")") {
		t.Errorf("a second owner is told: %v", err)
	}
	must(t, owner.Process.Kill())
	_ = owner.Wait()
	b.lock()
	b.start() // its server does not hold the lock in its place, and is ended with this test
}
