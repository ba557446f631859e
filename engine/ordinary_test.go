package engine

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// asNobody runs tests once more in a process of an ordinary user, whom modes mean something to. What prepare makes, as
// root, he finds at fixture().
func asNobody(t *testing.T, tests string, prepare func(dir string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	dir, err := os.MkdirTemp("", "TestAsNobody")
	ok(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, tmp, made := filepath.Join(dir, "test"), filepath.Join(dir, "tmp"), filepath.Join(dir, "fixture")
	ok(t, os.Chmod(dir, 0o755))
	ok(t, copyBinary(binary))
	for _, d := range []string{tmp, made} {
		ok(t, os.Mkdir(d, 0o755))
		ok(t, os.Chown(d, nobody, nobody))
	}
	if prepare != nil {
		prepare(made)
	}
	command := exec.Command(binary, "-test.run="+tests, "-test.v")
	command.Dir = tmp
	command.Env = append(os.Environ(), "TMPDIR="+tmp, "KETTER_TEST_FIXTURE="+made)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as an ordinary user: %v\n%s", err, failed(string(out)))
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// failed leaves out what is of no interest.
func failed(out string) string {
	kept := []string{}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "===") && !strings.Contains(line, "--- PASS") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// copyBinary copies the running test to where another user can get at it.
func copyBinary(to string) error {
	from, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// fixture is what root has made, for tests that only asNobody runs.
func fixture(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KETTER_TEST_FIXTURE")
	if dir == "" {
		t.Skip("it is run by another test, as an ordinary user")
	}
	return dir
}

func TestATreeHoldsEverythingOfAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	asNobody(t, "^TestATreeHoldsEverything$/(modes|links|attributes|access|sample|times|small_sparse|nothing)", nil)
}

func TestAnOrdinaryUsersFailuresAreSwept(t *testing.T) {
	t.Parallel()
	asNobody(t, "^(TestACancelledRunIsSwept|TestAMoveIsARenameUnlessAStrategyIsForced)$", nil)
}

// TestWhatOnlyAGroupOrOthersMayReadArrives has a source of somebody else's, whose modes shut out its owner: of the copy,
// that is the one who runs Ketter. So do files on storages whose access lists are richer than modes can tell.
func TestWhatOnlyAGroupOrOthersMayReadArrives(t *testing.T) {
	t.Parallel()
	asNobody(t, "^TestHelperCopiesWhatItsOwnerMayNotRead$", func(dir string) {
		ok(t, os.MkdirAll(filepath.Join(dir, "from/folder/in"), 0o755))
		for name, mode := range shutOut {
			path := filepath.Join(dir, "from/folder", name)
			ok(t, os.WriteFile(path, []byte(strings.Repeat(name, 100_000)), 0o644))
			ok(t, syscall.Chmod(path, mode))
			if mode&0o040 != 0 {
				ok(t, os.Chown(path, 0, nobody))
			}
		}
		ok(t, os.Link(filepath.Join(dir, "from/folder/a"), filepath.Join(dir, "from/folder/in/linked")))
	})
}

var shutOut = map[string]uint32{"a": 0o044, "group": 0o040, "others": 0o004, "run": 0o055, "in/b": 0o044}

func TestHelperCopiesWhatItsOwnerMayNotRead(t *testing.T) {
	root := fixture(t)
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) {
			b := setup(t, func(o *Options) { o.AllowedRoots = append(o.AllowedRoots, root) })
			spec := b.spec("folder", transfer.Copy, strategy)
			spec.Source = filepath.Join(root, "from/folder")
			want := b.snapshot(spec.Source)
			_, err := b.run(t.Context(), spec)
			b.must(err)
			for name, mode := range shutOut {
				path := filepath.Join(spec.FinalPath(), name)
				info, err := os.Lstat(path)
				b.must(err)
				if uint32(info.Mode()) != mode {
					t.Errorf("%s has mode %v", name, info.Mode())
				}
				b.must(os.Chmod(path, os.FileMode(mode|0o400))) // else we can't look at it
				want = strings.Replace(want, fmt.Sprintf("%q 0 %o ", name, mode), fmt.Sprintf("%q 0 %o ", name, mode|0o400), 1)
			}
			want = strings.Replace(want, `"in/linked" 0 44 `, `"in/linked" 0 444 `, 1)
			b.same(b.snapshot(spec.FinalPath()), want)
		})
	}
}

// TestAFileThatMayNotBeReadFailsWithItsPath is about one that nobody has a right to.
func TestAFileThatMayNotBeReadFailsWithItsPath(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		asNobody(t, "^"+t.Name()+"$", nil)
		return
	}
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.write("from/folder/a", "a")
		b.write("from/folder/shut", "x")
		b.must(os.Chmod(filepath.Join(b.from, "folder/shut"), 0))
		_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
		if f := b.fails(err, failure.SourcePermissionDenied); f.Path != filepath.Join(b.from, "folder/shut") {
			t.Errorf("path is %s", f.Path)
		}
		b.holds(b.to)
		b.holds(filepath.Join(b.from, "folder"), "a", "shut")
	})
}
