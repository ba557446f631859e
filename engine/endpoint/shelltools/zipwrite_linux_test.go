package shelltools

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// noTar is a host that has unzip only.
var noTar = map[string]string{"tar": ""}

func zipTree() []endpoint.Item {
	items := trial()
	for i, mode := range []uint32{0o444, 0o500, 0o4755, 0o2711, 0o1600, 0, 0o777} {
		item := file(fmt.Sprint("mode", i), strings.Repeat("x", i*1000))
		item.Mode, item.ModAt = mode, time.Unix(int64(i*1e8), 0)
		items = append(items, item, folderItem(fmt.Sprint("folder", i), mode))
	}
	return append(items, folderItem("ro", 0o555), folderItem("ro/in", 0o555))
}

func TestUnzipBringsWhatItCarries(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	far := newFar(t, newMachine(t, noTar))
	if names := far.tools.Names(); names[0] != "unzip" {
		t.Fatal(names)
	}
	for _, items := range [][]endpoint.Item{zipTree(), {folderItem("alone", 0o700)}} {
		fails(t, far.write(t.Context(), items, true))
		for _, item := range items {
			isThere(t, far, item)
		}
	}
	nothingWasParsed(t, far)
	nothingIsLeft(t, far)
}

func nothingIsLeft(t *testing.T, far *far) {
	t.Helper()
	if left, _ := filepath.Glob(strings.NewReplacer(`\`, `\\`, `[`, `\[`, `*`, `\*`, `?`, `\?`).Replace(far.path) + "/.ketter-bulk-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestWhatUnzipCantCarryIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, noTar))
	whole := file("whole", "")
	whole.ModAt = then.Truncate(time.Second)
	old := whole
	old.Path, old.ModAt = "old", time.Unix(-1, 0)
	items := []endpoint.Item{link("l", "x"), file("fraction", ""), old}
	for _, name := range []string{"a\nb", "bytes\xff", "take;1", "a\\b", "\x7f"} {
		item := whole
		item.Path = name
		items = append(items, item)
	}
	before := far.started.Load()
	for _, item := range items {
		if err := far.write(t.Context(), []endpoint.Item{whole, item}, false); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: %v", item.Path, err)
		}
	}
	if far.started.Load() != before {
		t.Error("a command was started")
	}
	if names, _ := os.ReadDir(far.path); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
}

func TestAnUnzipThatFailsItsTrialIsNeverUsed(t *testing.T) {
	t.Parallel()
	m := newMachine(t, noTar)
	bin, _, _ := strings.Cut(m.path, ":")
	unzip := "#!/bin/sh\ncase $1 in -v) echo Info-ZIP;; *) /usr/bin/unzip \"$@\"; chmod 600 ./plain;; esac\n"
	fails(t, os.WriteFile(bin+"/unzip", []byte(unzip), 0o755))
	far := newFar(t, m)
	item := file("x", "")
	item.ModAt = time.Unix(1e9, 0)
	for range 2 {
		if err := far.write(t.Context(), []endpoint.Item{item}, false); !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
	if n := far.started.Load(); n != 2 { // the probe and one trial
		t.Errorf("%d commands were started", n)
	}
	nothingIsLeft(t, far)
	if names, _ := os.ReadDir(far.path); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
}

func TestUnzipReplacesNothingAndFollowsNoLink(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, noTar))
	fails(t, os.WriteFile(far.path+"/old", []byte("old"), 0o600))
	fails(t, os.Symlink(t.TempDir(), far.path+"/away"))
	whole := func(path string) []endpoint.Item {
		item := file(path, strings.Repeat("x", 200<<10))
		item.ModAt = time.Unix(1e9, 0)
		return []endpoint.Item{item}
	}
	if err := far.write(t.Context(), whole("old"), false); !errors.Is(err, syscall.EEXIST) {
		t.Error(err)
	}
	if err := far.write(t.Context(), whole("away/x"), false); !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) {
		t.Error(err)
	}
	nothingIsLeft(t, far)
}

func TestAnUnzipThatIsKilledLeavesNoArchive(t *testing.T) {
	t.Parallel()
	far := newFar(t, newMachine(t, noTar))
	item := file("x", "x")
	item.ModAt = time.Unix(1e9, 0)
	fails(t, far.write(t.Context(), []endpoint.Item{item}, false))
	far.onStart = func(process *os.Process) { _ = process.Kill() }
	item.Path = "y"
	if err := far.write(t.Context(), []endpoint.Item{item}, false); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	nothingIsLeft(t, far)
}
