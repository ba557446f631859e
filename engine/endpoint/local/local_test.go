package local

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
)

func openTemp(t *testing.T) endpoint.Dir {
	t.Helper()
	dir, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func TestConformance(t *testing.T) {
	t.Parallel()
	endpointtest.Run(t, openTemp)
}

// bySteps is a folder on a file system that can't refuse to replace by itself.
type bySteps struct{ *dir }

func (d bySteps) Unwrap() endpoint.Dir { return d.dir }

func (d bySteps) Rename(name string, to endpoint.Dir, newName string) error {
	if checkName(name) != nil || checkName(newName) != nil {
		return d.dir.Rename(name, to, newName)
	}
	target, ok := endpoint.Unwrap(to).(*dir)
	if !ok {
		return d.dir.Rename(name, to, newName)
	}
	return renameBySteps(d.dir, name, target, newName)
}

func (d bySteps) Publish(name string, to endpoint.Dir, newName string) (bool, error) {
	return true, d.Rename(name, to, newName)
}

func TestConformanceOfTheRenameBySteps(t *testing.T) {
	t.Parallel()
	endpointtest.Run(t, func(t *testing.T) endpoint.Dir { return bySteps{openTemp(t).(*dir)} })
}

// TestANewFileHasTheModeItIsGiven also where the umask doesn't decide what a file is made with: it is not asked twice then,
// and must be right.
func TestANewFileHasTheModeItIsGiven(t *testing.T) {
	t.Parallel()
	for _, acl := range []bool{false, true} {
		path := t.TempDir()
		if acl && !giveDefaultACL(t, path) {
			continue
		}
		dir, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		for _, mode := range []uint32{0o644, 0o600, 0o444, 0o666, 0o4755, 0} {
			name := fmt.Sprintf("%o", mode)
			w, err := dir.Create(name, mode)
			if err == nil {
				err = errors.Join(w.SetMode(mode), w.SetMode(mode), w.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			if info, err := dir.Lstat(name); err != nil || info.Mode != mode {
				t.Errorf("default list %v: mode is %o, want %o (%v)", acl, info.Mode, mode, err)
			}
		}
	}
}
