package local

import (
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
