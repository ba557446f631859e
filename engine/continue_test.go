package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// meter counts what a run reads from its source and writes of it, and lets the process die: from then on it can do
// nothing any more, not even sweep.
type meter struct {
	read, written atomic.Int64
	dieAt         atomic.Int64 // bytes read, 0 for never
}

func (b *bench) measure() *meter {
	m := &meter{}
	die := func(endpointtest.Op, string) error {
		if at := m.dieAt.Load(); at > 0 && m.read.Load() >= at {
			return syscall.EIO
		}
		return nil
	}
	b.source.Before, b.destination.Before = die, die
	b.source.AfterRead = func(_ string, p []byte) { m.read.Add(int64(len(p))) }
	b.destination.AfterWrite = func(path string, n int64) {
		if filepath.Base(path) != "manifest.jsonl" {
			m.written.Add(n)
		}
	}
	return m
}

// again makes the spec of the job's next run, which the worker knows to be the only one.
func (b *bench) again(spec transfer.Spec) transfer.Spec {
	spec.Run = b.newRun()
	if n := len(b.log.intents); n > 0 {
		spec.Intent = &b.log.intents[n-1]
	}
	return spec
}

const (
	takes    = 80
	takeSize = 512 << 10
)

// session makes a folder of takes, 40 MiB in all.
func (b *bench) session() (size int64) {
	b.Helper()
	for i := range takes {
		b.write(fmt.Sprintf("from/folder/reel %d/take %d", i/10, i), strings.Repeat(fmt.Sprintf("%08d", i), takeSize/8))
	}
	b.age(filepath.Join(b.from, "folder"))
	return takes * takeSize
}

// killedAt runs spec until so many bytes are read, where the process dies.
func (b *bench) killedAt(m *meter, spec transfer.Spec, bytes int64) {
	b.Helper()
	m.dieAt.Store(bytes)
	_, err := b.run(b.Context(), spec)
	b.fails(err, failure.IOError)
	m.dieAt.Store(0)
	m.read.Store(0)
	m.written.Store(0)
}

func TestASecondRunDoesOnlyWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		for _, verify := range []transfer.Verify{transfer.Checksum, transfer.Size} {
			for _, syncWhole := range []bool{true, false} {
				t.Run(fmt.Sprint(strategy, verify, syncWhole), func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
						c.SyncWhole = syncWhole
						return c
					}
					size := b.session()
					want := b.snapshot(filepath.Join(b.from, "folder"))
					spec := b.spec("folder", transfer.Copy, strategy)
					spec.Verify = verify
					m := b.measure()
					if verify == transfer.Size { // what the storage copies by itself isn't read by us
						b.source.Before = noRange(b.source.Before)
						b.destination.Before = noRange(b.destination.Before)
					}
					b.killedAt(m, spec, size*7/10)
					_, err := b.run(t.Context(), b.again(spec))
					b.must(err)
					b.same(b.snapshot(spec.FinalPath()), want)
					left := float64(m.read.Load()) / float64(size)
					t.Logf("read %.0f %% and wrote %.0f %% of it", 100*left, 100*float64(m.written.Load())/float64(size))
					if left < 0.25 || left > 0.45 {
						t.Errorf("the second run read %.0f %% of the source", 100*left)
					}
					if written := float64(m.written.Load()) / float64(size); strategy == transfer.Direct && written > 0.45 {
						t.Errorf("the second run wrote %.0f %%", 100*written)
					}
					if !strings.Contains(b.log.kinds(), "recovered") {
						t.Errorf("events are %s", b.log.kinds())
					}
					b.must(b.engine.CleanUp(t.Context(), spec))
					b.holds(b.to, "folder")
				})
			}
		}
	}
}

func noRange(next func(endpointtest.Op, string) error) func(endpointtest.Op, string) error {
	return func(op endpointtest.Op, path string) error {
		if op == endpointtest.CopyFrom || op == endpointtest.Clone {
			return errors.ErrUnsupported
		}
		return next(op, path)
	}
}

func TestALargeFileIsContinuedWithinIt(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"folder/large", "large"} {
		for _, verify := range []transfer.Verify{transfer.Checksum, transfer.None} {
			t.Run(in+" "+string(verify), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.engine.partEvery = 4 << 20
				const size = 64 << 20
				b.write("from/"+in, strings.Repeat("0123456789abcde\n", size/16))
				name, _, _ := strings.Cut(in, "/")
				want := b.snapshot(filepath.Join(b.from, name))
				spec := b.spec(name, transfer.Copy, transfer.Direct)
				spec.Verify = verify
				m := b.measure()
				b.source.Before, b.destination.Before = noRange(b.source.Before), noRange(b.destination.Before)
				b.killedAt(m, spec, size*7/10)
				_, err := b.run(t.Context(), b.again(spec))
				b.must(err)
				b.same(b.snapshot(spec.FinalPath()), want)
				if left := float64(m.read.Load()) / size; left < 0.28 || left > 0.5 {
					t.Errorf("the second run read %.0f %% of the file", 100*left)
				}
			})
		}
	}
}

func TestWhatChangedMeanwhileIsDoneAgain(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			size := b.session()
			spec := b.spec("folder", transfer.Copy, strategy)
			m := b.measure()
			b.killedAt(m, spec, size*9/10)
			for i := range takes / 4 { // whichever of them were done
				b.write(fmt.Sprintf("from/folder/reel %d/take %d", i/10, i), "recorded anew")
			}
			b.must(os.RemoveAll(filepath.Join(b.from, "folder/reel 7")))
			b.write("from/folder/reel 8/take", "added")
			want := b.snapshot(filepath.Join(b.from, "folder"))
			_, err := b.run(t.Context(), b.again(spec))
			b.must(err)
			b.same(b.snapshot(spec.FinalPath()), want)
		})
	}
}

// TestAfterAStopOfTheMachineOnlyWhatWasSyncedCounts runs a job in one epoch and again in another.
func TestAfterAStopOfTheMachineOnlyWhatWasSyncedCounts(t *testing.T) {
	t.Parallel()
	for name, noted := range map[string]bool{"nothing was noted": false, "noted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var epoch atomic.Int64
			b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
				c.SyncWhole, c.Epoch = true, fmt.Sprint(epoch.Load())
				return c
			}
			size := b.session()
			want := b.snapshot(filepath.Join(b.from, "folder"))
			spec := b.spec("folder", transfer.Copy, transfer.Direct)
			m := b.measure()
			if noted {
				b.engine.noteEvery = time.Millisecond
				b.waitForANoteAt(m, size/2)
			}
			b.killedAt(m, spec, size*8/10)
			epoch.Add(1)
			_, err := b.run(t.Context(), b.again(spec))
			b.must(err)
			b.same(b.snapshot(spec.FinalPath()), want)
			if again := m.read.Load() == size; again == noted {
				t.Errorf("the second run read %d of %d bytes", m.read.Load(), size)
			}
		})
	}
}

// waitForANoteAt lets a run wait, once it has read so much, until what it has done by then is noted.
func (b *bench) waitForANoteAt(m *meter, bytes int64) {
	noted := make(chan struct{})
	var syncs atomic.Int64
	count, die := b.source.AfterRead, b.destination.Before
	b.source.AfterRead = func(path string, p []byte) {
		if count(path, p); m.read.Load() >= bytes {
			<-noted
		}
	}
	b.destination.Before = func(op endpointtest.Op, path string) error {
		// The note of a sync is written before the next one, and that of the first may not count all that is read.
		if op == endpointtest.SyncAll && m.read.Load() >= bytes && syncs.Add(1) == 3 {
			close(noted)
		}
		return die(op, path)
	}
}

// TestAFrozenRunThatWakesHarmsNothing stops a run in the middle of writing, lets another one of the job do all, and then
// the first go on.
func TestAFrozenRunThatWakesHarmsNothing(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		for _, at := range []endpointtest.Op{endpointtest.Create, endpointtest.Write, endpointtest.FileTime, endpointtest.SetTime,
			endpointtest.SyncAll, endpointtest.Rename} {
			t.Run(string(strategy)+" "+string(at), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.sample("folder")
				want := b.snapshot(filepath.Join(b.from, "folder"))
				frozen, wake := make(chan struct{}), make(chan struct{})
				var once atomic.Bool
				b.destination.Before = func(op endpointtest.Op, path string) error {
					if op == at && strings.Contains(path, "token_1.") && once.CompareAndSwap(false, true) {
						close(frozen)
						<-wake
					}
					return nil
				}
				spec := b.spec("folder", transfer.Copy, strategy)
				first := make(chan error)
				go func() {
					_, err := b.run(context.WithoutCancel(t.Context()), spec)
					first <- err
				}()
				<-frozen
				_, err := b.run(t.Context(), b.again(spec))
				b.must(err)
				b.same(b.snapshot(spec.FinalPath()), want)
				close(wake)
				if err := <-first; err == nil {
					t.Error("both runs say that they published")
				}
				b.same(b.snapshot(spec.FinalPath()), want)
				b.must(b.engine.CleanUp(t.Context(), spec))
				b.holds(b.to, "folder")
			})
		}
	}
}

func TestTwoRunsThatNobodyKeepsApartDontMeet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.session()
	frozen, wake := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	b.destination.Before = func(op endpointtest.Op, _ string) error {
		if op == endpointtest.Write && once.CompareAndSwap(false, true) {
			close(frozen)
			<-wake
		}
		return nil
	}
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	spec.Alone = true
	first := make(chan error)
	go func() {
		_, err := b.run(context.WithoutCancel(t.Context()), spec)
		first <- err
	}()
	<-frozen
	second := spec
	second.Run = b.newRun()
	_, err := b.run(t.Context(), second)
	f := b.fails(err, failure.DestinationExists)
	if !strings.Contains(f.Message, "running already") {
		t.Error(f.Message)
	}
	close(wake)
	b.must(<-first)
}

// TestARunCutShortBetweenTheStepsOfAPublishIsFinished has the final name taken by the empty folder of a publish in steps.
func TestARunCutShortBetweenTheStepsOfAPublishIsFinished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	b.crashBeforePublish(spec)
	b.must(os.Mkdir(spec.FinalPath(), 0o700))
	_, err := b.run(t.Context(), b.again(spec))
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)

	b.must(os.RemoveAll(spec.FinalPath()))
	b.must(b.engine.CleanUp(t.Context(), spec))
	b.must(os.Mkdir(spec.FinalPath(), 0o700)) // somebody else's: no run of the job is complete
	_, err = b.run(t.Context(), b.again(spec))
	b.fails(err, failure.DestinationExists)
}

// TestAFileCutShortBetweenTheStepsOfAPublishIsFinished has the final name made a second name of the staged file.
func TestAFileCutShortBetweenTheStepsOfAPublishIsFinished(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		b := setup(t)
		b.acrossFileSystems()
		b.write("from/file", "content")
		want := b.snapshot(filepath.Join(b.from, "file"))
		spec := b.spec("file", mode, transfer.Direct)
		b.crashBeforePublish(spec)
		b.must(os.Link(filepath.Join(b.to, ".ketter-test_1-7-token_1.partial/data/file"), spec.FinalPath()))
		_, err := b.run(t.Context(), b.again(spec))
		b.must(err)
		b.same(b.snapshot(spec.FinalPath()), want)
		if mode == transfer.Move {
			b.gone(spec.Source)
		}
		b.must(b.engine.CleanUp(t.Context(), spec))
		b.holds(b.to, "file")
	}
}

// crashBeforePublish runs spec until all is staged and proven, where the process dies.
func (b *bench) crashBeforePublish(spec transfer.Spec) {
	b.Helper()
	spec.Resumes = func(error) bool { return true } // else it sweeps, which a run that is killed doesn't
	b.log.beforePublish = func(transfer.Intent) error { return errCrash }
	_, err := b.run(b.Context(), spec)
	if !errors.Is(err, errCrash) {
		b.Fatal(err)
	}
	b.log.beforePublish = nil
}

// TestAReadOnlyFolderOfAnEarlierRunIsNoHindrance lets the storage refuse, as it does to all but root, to take a file out
// of a folder that has its final mode.
func TestAReadOnlyFolderOfAnEarlierRunIsNoHindrance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Copy, transfer.Direct)
	b.crashBeforePublish(spec)
	var refused, allowed atomic.Bool
	b.destination.Before = func(op endpointtest.Op, path string) error {
		switch {
		case op == endpointtest.SetMode && strings.HasSuffix(path, "/fenced/folder/sub"):
			allowed.Store(true)
		case op == endpointtest.Rename && strings.HasSuffix(path, "/fenced/folder/sub/b") && !allowed.Load():
			refused.Store(true)
			return syscall.EACCES
		}
		return nil
	}
	_, err := b.run(t.Context(), b.again(spec))
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
	if !refused.Load() {
		t.Error("nothing was taken out of the folder")
	}
}

// TestAFileThatWasTakenOverBeforeIsNotTakenForPublished lets the run die that had just taken it over.
func TestAFileThatWasTakenOverBeforeIsNotTakenForPublished(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		b := setup(t)
		b.acrossFileSystems()
		b.write("from/file", "content")
		want := b.snapshot(filepath.Join(b.from, "file"))
		spec := b.spec("file", mode, transfer.Direct)
		spec.Resumes = func(error) bool { return true }
		b.crashBeforePublish(spec)
		b.log.onEvent = func(e transfer.Event) error {
			if e.Kind == transfer.EventRecovered {
				return errCrash
			}
			return nil
		}
		if _, err := b.run(t.Context(), b.again(spec)); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		b.log.onEvent = nil
		_, err := b.run(t.Context(), b.again(spec))
		b.must(err)
		b.same(b.snapshot(spec.FinalPath()), want)
	}
}

// TestARunFromWhichEverythingIsTakenIsTriedAgain lets a run that had lost the right to go on, and doesn't know yet, take
// over what the right one is building.
func TestARunFromWhichEverythingIsTakenIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, at := range []endpointtest.Op{endpointtest.Create, endpointtest.SetMode, endpointtest.SyncAll, endpointtest.Rename} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.small()
			want := b.snapshot(filepath.Join(b.from, "folder"))
			spec := b.spec("folder", transfer.Copy, transfer.Direct)
			spec.Resumes = func(err error) bool { return failure.CodeOf(err).Class() == failure.Transient }
			wrong := b.again(spec)
			var once atomic.Bool
			b.destination.Before = func(op endpointtest.Op, path string) error {
				if op == at && strings.Contains(path, "token_1.") && filepath.Base(path) != "manifest.jsonl" &&
					once.CompareAndSwap(false, true) {
					b.crashBeforePublish(wrong)
				}
				return nil
			}
			_, err := b.run(t.Context(), spec)
			b.fails(err, failure.Internal)
			_, err = b.run(t.Context(), b.again(spec))
			b.must(err)
			b.same(b.snapshot(spec.FinalPath()), want)
			b.must(b.engine.CleanUp(t.Context(), spec))
			b.holds(b.to, "folder")
		})
	}
}

// TestARenameThatAnotherRunHasDoneIsRecognised lets a run rename that was past its return when another one began.
func TestARenameThatAnotherRunHasDoneIsRecognised(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	want := b.snapshot(filepath.Join(b.from, "folder"))
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	b.crashBeforePublish(spec)
	b.log.beforePublish = func(transfer.Intent) error { return os.Rename(spec.Source, spec.FinalPath()) }
	_, err := b.run(t.Context(), b.again(spec))
	b.must(err)
	b.same(b.snapshot(spec.FinalPath()), want)
}
