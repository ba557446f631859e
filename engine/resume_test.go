package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

var errCrash = errors.New("the process dies here")

func TestAPublishWithoutItsCommitIsRecognised(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.small()
		want := b.snapshot(filepath.Join(b.from, "folder"))
		b.log.onEvent = func(e transfer.Event) error {
			if e.Kind == transfer.EventPublished {
				return errCrash
			}
			return nil
		}
		spec := b.spec("folder", mode, strategy)
		_, err := b.run(t.Context(), spec)
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		b.log.onEvent = nil
		b.finishes(spec, want, "the publish")
	})
}

func TestARenameWithoutItsCommitIsRecognised(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	b.log.onEvent = func(transfer.Event) error { return errCrash }
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	_, err := b.run(t.Context(), spec)
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	b.log.onEvent = nil
	b.write("from/folder/new", "of somebody else since")
	spec.Run, spec.Intent = b.newRun(), &b.log.intents[0]
	result, err := b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	b.holds(filepath.Join(b.from, "folder"), "new")
	if result.Method != transfer.Rename || result.Files != 3 {
		t.Errorf("result is %+v", result)
	}
}

func TestAnIntentOfAnotherThingIsNoExcuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.write("to/folder/theirs", "old")
	spec := b.spec("folder", transfer.Move, transfer.Direct)
	spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Device: 1, Inode: 1, Method: transfer.Copied}
	_, err := b.run(t.Context(), spec)
	b.fails(err, failure.DestinationExists)
	b.holds(filepath.Join(b.from, "folder"), "a", "link", "sub")
}

func TestAMoveNeverRemovesWhatItDidNotCopy(t *testing.T) {
	t.Parallel()
	meddle := map[string]struct {
		do      func(b *bench)
		remains string
	}{
		"an added file":   {func(b *bench) { b.write("from/folder/added", "new") }, "added"},
		"an added folder": {func(b *bench) { b.must(os.Mkdir(filepath.Join(b.from, "folder/added"), 0o755)) }, "added"},
		"a changed file":  {func(b *bench) { b.write("from/folder/a", "changed") }, "a"},
		"a replaced file": {func(b *bench) {
			b.must(os.Rename(filepath.Join(b.from, "folder/a"), filepath.Join(b.from, "aside")))
			b.write("from/folder/a", "content")
		}, "a"},
		"a folder that became a link": {func(b *bench) {
			b.must(os.Rename(filepath.Join(b.from, "folder/sub"), filepath.Join(b.from, "aside")))
			b.must(os.Symlink("../aside", filepath.Join(b.from, "folder/sub")))
		}, "sub"},
	}
	for what, m := range meddle {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.write("from/folder/a", "content")
			b.write("from/folder/sub/b", "b")
			b.log.onEvent = func(e transfer.Event) error {
				if e.Kind == transfer.EventPublished {
					m.do(b)
				}
				return nil
			}
			spec := b.spec("folder", transfer.Move, transfer.Direct)
			_, err := b.run(t.Context(), spec)
			f := b.fails(err, failure.SourceNotRemoved)
			left := filepath.Join(b.from, "folder", m.remains)
			if f.Path != left || !strings.Contains(f.Message, "1 names remain") {
				t.Errorf("it says %q of %s", f.Message, f.Path)
			}
			b.holds(filepath.Join(b.from, "folder"), m.remains)
			b.holds(filepath.Join(b.to, "folder"), "a", "sub")
			if aside := filepath.Join(b.from, "aside/b"); what == "a folder that became a link" {
				b.must(os.Chmod(aside, 0o600)) // it is still there
			}

			b.log.onEvent = nil
			b.must(os.RemoveAll(left)) // an operator clears it away, and retries
			spec.Run, spec.Intent = b.newRun(), &b.log.intents[0]
			_, err = b.run(t.Context(), spec)
			b.must(err)
			b.gone(spec.Source)
		})
	}
}

func TestASourceThatChangesWhileItIsReadFails(t *testing.T) {
	t.Parallel()
	changes := map[string]func(p string) error{
		"written to": func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", 100_000)), 0o644) },
		"grown":      func(p string) error { return os.Truncate(p, 100_001) },
		"shrunk":     func(p string) error { return os.Truncate(p, 10) },
		"emptied":    func(p string) error { return os.Truncate(p, 0) },
	}
	for what, change := range changes {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				b.small()
				b.source.Before = func(op endpointtest.Op, path string) error {
					if op == endpointtest.Read && filepath.Base(path) == "b" {
						return change(path)
					}
					return nil
				}
				_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
				f := b.fails(err, failure.SourceChanged)
				if f.Path != filepath.Join(b.from, "folder/sub/b") {
					t.Errorf("path is %s", f.Path)
				}
				b.holds(b.to)
			})
		})
	}
}

func TestAMoveWhoseSourceCannotBeRemovedFailsBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EBUSY} {
		for _, of := range []string{"folder", "b"} { // the top, and what is in a folder below
			b := setup(t)
			b.small()
			b.acrossFileSystems()
			exdev := b.source.Before
			b.source.Before = func(op endpointtest.Op, path string) error {
				if op == endpointtest.CanRemove && filepath.Base(path) == of {
					return errno
				}
				return exdev(op, path)
			}
			spec := b.spec("folder", transfer.Move, transfer.Auto)
			spec.Destination = filepath.Join(b.to, "new")
			_, err := b.run(t.Context(), spec)
			f := b.fails(err, failure.SourcePermissionDenied)
			if !strings.Contains(f.Sentence(), "can't be removed") {
				t.Errorf("it says %q", f.Sentence())
			}
			b.holds(b.to)
		}
	}
}

func TestARetrySweepsWhatDeadRunsLeftAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	others := []string{".ketter-test_1-70-x.partial", ".ketter-test-1-7-x.partial", ".ketter-test_1-7-x-y.partial",
		".ketter-other-7-x.partial", "theirs"}
	for _, name := range append(others, ".ketter-test_1-7-dead.partial") {
		b.write(filepath.Join("to", name, "data/folder/x"), "x")
	}
	b.must(os.Chmod(filepath.Join(b.to, ".ketter-test_1-7-dead.partial/data/folder"), 0))
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	_, err := b.run(t.Context(), spec)
	b.must(err)
	b.must(b.engine.CleanUp(t.Context(), spec))
	b.holds(b.to, append(others, "folder")...)
}

func TestTheStagingOfARunThatLivesIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	b.log.onEvent = func(e transfer.Event) error {
		second := spec
		second.Run = b.newRun()
		second.Source = filepath.Join(b.from, "folder/sub")
		if err := b.engine.CleanUp(t.Context(), second); err != nil {
			return err
		}
		_, err := os.Lstat(filepath.Join(b.to, ".ketter-test_1-7-token_1.partial"))
		return err
	}
	_, err := b.run(t.Context(), spec)
	b.must(err)
	b.must(b.engine.CleanUp(t.Context(), spec))
	if _, err := os.Lstat(filepath.Join(b.to, ".ketter-test_1-7-token_1.partial")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the staging is still there after its run")
	}
}
