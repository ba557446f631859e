package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

func openParent(path string) (endpoint.Dir, error) { return local.Open(filepath.Dir(path)) }

var (
	modes      = []transfer.Mode{transfer.Copy, transfer.Move}
	strategies = []transfer.Strategy{transfer.Direct, transfer.ZipFirst}
	methods    = map[transfer.Strategy]transfer.Method{transfer.Direct: transfer.Copied, transfer.ZipFirst: transfer.Archive}
	allEvents  = map[transfer.Strategy]string{transfer.Direct: "verified published",
		transfer.ZipFirst: "archive_created archive_extracted cleaned_up verified published"}
)

// eachWay runs a test for each mode and strategy.
func eachWay(t *testing.T, test func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy)) {
	for _, mode := range modes {
		for _, strategy := range strategies {
			t.Run(fmt.Sprintf("%s %s", mode, strategy), func(t *testing.T) {
				t.Parallel()
				test(t, mode, strategy)
			})
		}
	}
}

func TestATreeArrivesAsItLeft(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		for _, syncWhole := range []bool{true, false} {
			b := setup(t)
			b.sample("Day 1")
			want := b.snapshot(filepath.Join(b.from, "Day 1"))
			b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
				c.SyncWhole = syncWhole
				return c
			}
			spec := b.spec("Day 1", mode, strategy)
			result, err := b.run(t.Context(), spec)
			b.must(err)
			b.same(b.snapshot(filepath.Join(b.to, "Day 1")), want)
			if result.Method != methods[strategy] || result.Files != sampleFiles || result.Bytes != sampleBytes {
				t.Errorf("result is %+v", result)
			}
			b.settled(mode, spec, want)
			if b.log.clashed.Load() {
				t.Error("the observer was called twice at once")
			}
		}
	})
}

// settled checks source, events and what is left after a success.
func (b *bench) settled(mode transfer.Mode, spec transfer.Spec, source string) {
	b.Helper()
	events := allEvents[spec.Strategy]
	if mode == transfer.Move {
		b.gone(spec.Source)
		events += " source_removed"
	} else {
		b.same(b.snapshot(spec.Source), source)
	}
	if got := b.log.kinds(); got != events {
		b.Errorf("events are %s, want %s", got, events)
	}
	b.must(b.engine.CleanUp(b.Context(), spec))
	b.must(b.engine.CleanUp(b.Context(), spec)) // again is fine
	b.holds(spec.Destination, filepath.Base(spec.Source))
}

func TestAFileArrivesAsItLeft(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		for _, verify := range []transfer.Verify{transfer.Checksum, transfer.Size, transfer.None} {
			b := setup(t)
			b.write("from/A001.mov", strings.Repeat("frame", 100_000))
			b.must(os.Chmod(filepath.Join(b.from, "A001.mov"), 0o440))
			b.age(filepath.Join(b.from, "A001.mov"))
			want := b.snapshot(filepath.Join(b.from, "A001.mov"))
			spec := b.spec("A001.mov", mode, strategy)
			spec.Verify = verify
			spec.Destination = filepath.Join(b.to, "made", "for it")
			result, err := b.run(t.Context(), spec)
			b.must(err)
			b.same(b.snapshot(spec.FinalPath()), want)
			if result.Files != 1 || result.Bytes != 500_000 {
				t.Errorf("result is %+v", result)
			}
			b.must(b.engine.CleanUp(t.Context(), spec))
			b.holds(spec.Destination, "A001.mov")
			if _, err := os.Lstat(spec.Source); (mode == transfer.Move) != os.IsNotExist(err) {
				t.Errorf("the source: %v", err)
			}
		}
	})
}

func TestAMoveIsARenameUnlessAStrategyIsForced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sample("folder")
	b.must(os.Chmod(filepath.Join(b.from, "folder"), 0o755)) // only root may rename a 0555 folder
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	spec.Destination = filepath.Join(b.to, "new")
	result, err := b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	b.gone(spec.Source)
	if result.Method != transfer.Rename || result.Files != sampleFiles || b.log.kinds() != "published" {
		t.Errorf("result is %+v, events %s", result, b.log.kinds())
	}
	if len(b.log.intents) != 1 || b.log.intents[0].Method != transfer.Rename {
		t.Errorf("intents are %+v", b.log.intents)
	}
	b.holds(spec.Destination, "folder")
}

func TestAMoveAcrossFileSystemsCopiesAndRemoves(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Policy = planner.Policy{ZipThresholdFiles: 10, ZipThresholdAvgSize: 4 << 20} })
	b.acrossFileSystems()
	b.sample("folder")
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	result, err := b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	if result.Method != transfer.Archive || len(b.log.intents) != 1 {
		t.Errorf("result is %+v, intents %+v", result, b.log.intents)
	}
	spec.Strategy = transfer.ZipFirst
	b.settled(transfer.Move, spec, "")
}

func TestARenameThatFailsAfterAllIsACopy(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EXDEV, syscall.EACCES, syscall.EPERM, syscall.EINVAL} {
		b := setup(t)
		b.small()
		want := b.snapshot(filepath.Join(b.from, "folder"))
		b.source.Before = func(op endpointtest.Op, path string) error {
			if op == endpointtest.Rename && filepath.Base(path) == "folder" {
				return errno
			}
			return nil
		}
		spec := b.spec("folder", transfer.Move, transfer.Auto)
		result, err := b.run(t.Context(), spec)
		b.must(err)
		b.same(b.snapshot(spec.FinalPath()), want)
		b.gone(spec.Source)
		if n := len(b.log.intents); result.Method != transfer.Copied || b.log.intents[n-1].Method != transfer.Copied {
			t.Errorf("%v: result is %+v, intents %+v", errno, result, b.log.intents)
		}
	}
}

func TestAFinalNameThatIsTakenIsLeftAlone(t *testing.T) {
	t.Parallel()
	taken := map[string]func(string) error{
		"file":          func(p string) error { return os.WriteFile(p, []byte("old"), 0o640) },
		"folder":        func(p string) error { return os.Mkdir(p, 0o750) },
		"dangling link": func(p string) error { return os.Symlink("nowhere", p) },
	}
	for what, take := range taken {
		for _, source := range []string{"folder", "file"} {
			t.Run(what+" for a "+source, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.write("from/folder/x", "new")
				b.write("from/file", "new")
				b.must(take(filepath.Join(b.to, source)))
				b.age(b.to)
				before := b.snapshot(b.to)
				for _, mode := range modes {
					for _, strategy := range append(strategies, transfer.Auto) {
						spec := b.spec(source, mode, strategy)
						plan := planner.Plan{Spec: spec, Strategy: strategy}
						_, err := b.runPlan(t.Context(), plan)
						f := b.fails(err, failure.DestinationExists)
						if f.Sentence() != "Destination already exists: "+b.to+"/"+source {
							t.Errorf("it says %q", f.Sentence())
						}
						_, err = b.engine.Plan(t.Context(), spec)
						b.fails(err, failure.DestinationExists)
					}
				}
				b.same(b.snapshot(b.to), before)
			})
		}
	}
}

func TestANameTakenWhileItIsCopiedIsLeftAlone(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.write("from/folder/x", "new")
		b.log.beforePublish = func(transfer.Intent) error {
			b.write("to/folder/theirs", "old")
			return nil
		}
		_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
		b.fails(err, failure.DestinationExists)
		b.holds(b.to, "folder")
		b.holds(filepath.Join(b.to, "folder"), "theirs")
		b.holds(filepath.Join(b.from, "folder"), "x")
	})
}

func TestAMissingSourceLeavesTheDestinationUnmade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, source := range []string{"nothing", "no/such/folder"} {
		spec := b.spec(source, transfer.Copy, transfer.Auto)
		spec.Destination = filepath.Join(b.to, "new")
		_, err := b.engine.Plan(t.Context(), spec)
		b.fails(err, failure.SourceNotFound)
		_, err = b.runPlan(t.Context(), planner.Plan{Spec: spec})
		b.fails(err, failure.SourceNotFound)
	}
	b.holds(b.to)
}

func TestTheArchiveIsAStandardZip(t *testing.T) {
	t.Parallel()
	unzip, err := exec.LookPath("unzip")
	if err != nil {
		t.Fatal("this test needs unzip: apt-get install unzip")
	}
	b := setup(t)
	b.sample("Day 1")
	spec := b.spec("Day 1", transfer.Copy, transfer.ZipFirst)
	b.log.onEvent = func(e transfer.Event) error {
		if e.Kind != transfer.EventArchiveCreated {
			return nil
		}
		found, err := filepath.Glob(filepath.Join(b.to, ".ketter-*/archive.zip"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("archives: %q, %w", found, err)
		}
		if out, err := exec.Command(unzip, "-t", found[0]).CombinedOutput(); err != nil {
			return fmt.Errorf("unzip -t: %w: %s", err, out)
		}
		return nil
	}
	_, err = b.run(t.Context(), spec)
	b.must(err)
	archive, freed := b.log.figures(transfer.EventArchiveCreated), b.log.figures(transfer.EventCleanedUp)
	if archive["archive_bytes"].(int64) <= archive["bytes"].(int64) || freed["bytes"] != archive["archive_bytes"] {
		t.Errorf("archive %v, freed %v", archive, freed)
	}
}

func TestAnArchiveMadeElsewhereIsSentAndRemovedThere(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	b := setup(t, func(o *Options) { o.TmpDir = tmp })
	b.sample("Day 1")
	want := b.snapshot(filepath.Join(b.from, "Day 1"))
	spec := b.spec("Day 1", transfer.Copy, transfer.ZipFirst)
	b.log.onEvent = func(e transfer.Event) error {
		if e.Kind == transfer.EventArchiveCreated {
			info, err := os.Stat(filepath.Join(tmp, ".ketter-test_1-7-token_1.partial"))
			if err != nil || info.Mode().Perm() != 0o700 {
				return fmt.Errorf("the folder for it: %v, %w", info, err)
			}
		}
		return nil
	}
	_, err := b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	b.holds(tmp)
	if got := b.log.kinds(); got != "archive_created archive_sent archive_extracted cleaned_up verified published" {
		t.Errorf("events are %s", got)
	}
}

func TestProgressEndsWithEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sample("folder")
	_, err := b.run(context.Background(), b.spec("folder", transfer.Copy, transfer.Direct))
	b.must(err)
	want := transfer.Progress{Phase: transfer.Publishing, FilesDone: sampleFiles, FilesTotal: sampleFiles,
		BytesDone: sampleBytes, BytesTotal: sampleBytes}
	if b.log.progress != want {
		t.Errorf("progress is %+v, want %+v", b.log.progress, want)
	}
}
