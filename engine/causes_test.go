package engine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// told checks how a failure is told: its code, the path that it is about, one line that names it, and what to do. It
// returns that line.
func (b *bench) told(err error, code failure.Code, path string) (sentence string) {
	b.Helper()
	f := b.fails(err, code)
	if f.Path != path {
		b.Errorf("the path is %s, want %s", f.Path, path)
	}
	if sentence = f.Sentence(); !strings.Contains(sentence, f.Path) || strings.Contains(sentence, "\n") {
		b.Errorf("the sentence is %q", sentence)
	}
	if f.Advice() == "" {
		b.Error("there is no hint")
	}
	return sentence
}

// toldBelow is told for a failure at a path that is somewhere below a folder, which it returns.
func (b *bench) toldBelow(err error, code failure.Code, folder string) (path string) {
	b.Helper()
	path = b.fails(err, code).Path
	b.told(err, code, path)
	if !strings.HasPrefix(path, folder) {
		b.Errorf("the path is %s, want one below %s", path, folder)
	}
	return path
}

// keep remembers folders, and returns the check that they are as they were.
func (b *bench) keep(dirs ...string) (check func()) {
	b.Helper()
	var before []string
	for _, dir := range dirs {
		before = append(before, b.snapshot(dir))
	}
	return func() {
		b.Helper()
		for i, dir := range dirs {
			b.same(b.snapshot(dir), before[i])
		}
	}
}

// keepNames is keep, save for the times of the folders themselves, which change when something is made in them for a while.
func (b *bench) keepNames(dirs ...string) (check func()) {
	b.Helper()
	unchanged := b.keep(dirs...)
	times := map[string]os.FileInfo{}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		b.must(err)
		times[dir] = info
	}
	return func() {
		b.Helper()
		for dir, info := range times {
			b.must(setTime(dir, info.ModTime()))
		}
		unchanged()
	}
}

// ways is each mode with each strategy that a job may ask for.
func ways(do func(mode transfer.Mode, strategy transfer.Strategy)) {
	for _, mode := range modes {
		for _, strategy := range append(strategies, transfer.Auto) {
			do(mode, strategy)
		}
	}
}

// refused runs what must fail, planned and unplanned, before anything is made, and returns what it is told in.
func (b *bench) refused(spec transfer.Spec, code failure.Code, path string) (sentence, hint string) {
	b.Helper()
	unchanged := b.keep(b.from, b.to)
	_, err := b.engine.Plan(b.Context(), spec)
	b.told(err, code, path)
	_, err = b.runPlan(b.Context(), planner.Plan{Spec: spec, Strategy: spec.Strategy})
	sentence = b.told(err, code, path)
	unchanged()
	return sentence, failure.From(err).Advice()
}

func TestCauseAMissingSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("from/file", "content")
	b.must(os.Symlink("nowhere", filepath.Join(b.from, "dangling")))
	for _, source := range []string{"nothing", "no/such/folder", "file/below", "file/far/below", "dangling/below"} {
		ways(func(mode transfer.Mode, strategy transfer.Strategy) {
			spec := b.spec(source, mode, strategy)
			if source == "dangling/below" { // what it leads to may be outside
				b.refused(spec, failure.PathNotAllowed, filepath.Dir(spec.Source))
				return
			}
			b.refused(spec, failure.SourceNotFound, spec.Source)
		})
	}
}

func TestCauseASourceThatVanishesOnceItIsPlanned(t *testing.T) {
	t.Parallel()
	ways(func(mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.small()
		spec := b.spec("folder", mode, strategy)
		plan, err := b.engine.Plan(t.Context(), spec)
		b.must(err)
		b.must(os.Rename(spec.Source, filepath.Join(b.root, "elsewhere")))
		unchanged := b.keep(b.to, filepath.Join(b.root, "elsewhere"))
		_, err = b.runPlan(t.Context(), plan)
		b.told(err, failure.SourceNotFound, spec.Source)
		unchanged()
	})
}

func TestCauseASourceThatVanishesWhileItIsRead(t *testing.T) {
	t.Parallel()
	vanish := map[string]func(b *bench) error{
		"a file":     func(b *bench) error { return os.Remove(filepath.Join(b.from, "folder/take 9.wav")) },
		"everything": func(b *bench) error { return os.RemoveAll(filepath.Join(b.from, "folder")) },
	}
	for what, remove := range vanish {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t, func(o *Options) { o.Parallel = 1 })
				b.takes(10)
				unchanged := b.keepNames(b.to)
				var once sync.Once
				b.source.Before = func(op endpointtest.Op, path string) error {
					if op == endpointtest.Open { // of whichever file comes first; another is gone by then
						once.Do(func() {
							if filepath.Base(path) != "take 9.wav" || what == "everything" {
								b.must(remove(b))
							} else {
								b.must(os.Remove(path))
							}
						})
					}
					return nil
				}
				_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
				b.toldBelow(err, failure.SourceChanged, filepath.Join(b.from, "folder"))
				unchanged()
			})
		})
	}
}

// takes makes a folder of n files of 4 KiB.
func (b *bench) takes(n int) {
	b.Helper()
	for i := range n {
		b.write(fmt.Sprintf("from/folder/take %d.wav", i), strings.Repeat("wave", 1<<10))
	}
	b.age(filepath.Join(b.from, "folder"))
}

// TestCauseASourceThatIsWrittenToWhileItIsRead changes a file of several buffers after the first of them was read, also
// where the storage itself copies.
func TestCauseASourceThatIsWrittenToWhileItIsRead(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	changes := map[string]func(path string) error{
		"it shrinks":              func(p string) error { return os.Truncate(p, size/2) },
		"it shrinks to nothing":   func(p string) error { return os.Truncate(p, 0) },
		"it grows":                func(p string) error { return os.Truncate(p, size+1) },
		"it grows by a lot":       func(p string) error { return os.Truncate(p, 2*size) },
		"it is written anew":      func(p string) error { return os.WriteFile(p, make([]byte, size), 0o644) },
		"another takes its place": replace,
	}
	for what, change := range changes {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, verify := range []transfer.Verify{transfer.Checksum, transfer.Size} {
				eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
					b := setup(t)
					b.write("from/folder/clip.mov", strings.Repeat("abc", 1<<20))
					b.write("from/folder/other.wav", "other")
					clip := filepath.Join(b.from, "folder/clip.mov")
					unchanged := b.keepNames(b.to)
					var reads atomic.Int64
					var source string
					b.source.Before = func(op endpointtest.Op, path string) error {
						if path == clip && op == endpointtest.Read && reads.Add(1) == 2 {
							b.must(change(path))
							source = b.snapshot(b.from)
						}
						return nil
					}
					b.destination.Before = func(op endpointtest.Op, path string) error {
						if filepath.Base(path) == "clip.mov" && op == endpointtest.CopyFrom && reads.Add(2) == 2 {
							b.must(change(clip))
							source = b.snapshot(b.from)
						}
						return nil
					}
					spec := b.spec("folder", mode, strategy)
					spec.Verify = verify
					_, err := b.run(t.Context(), spec)
					path := b.toldBelow(err, failure.SourceChanged, b.from)
					if path != clip && path != filepath.Dir(clip) {
						t.Errorf("the path is %s", path)
					}
					unchanged()
					b.same(b.snapshot(b.from), source)
				})
			}
		})
	}
}

// replace puts another file of the same size under a name, as an editor does that saves.
func replace(path string) error {
	err := os.WriteFile(path+".new", make([]byte, 3<<20), 0o644)
	return errors.Join(err, os.Rename(path+".new", path))
}

func TestCauseADestinationThatIsNoFolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.write("to/file", "theirs")
	b.must(os.Symlink("file", filepath.Join(b.to, "link to it")))
	b.must(syscall.Mkfifo(filepath.Join(b.to, "fifo"), 0o600))
	for _, destination := range []string{"file", "file/below", "file/far/below", "link to it", "link to it/below", "fifo"} {
		t.Run(destination, func(t *testing.T) {
			ways(func(mode transfer.Mode, strategy transfer.Strategy) {
				spec := b.spec("folder", mode, strategy)
				spec.Destination = filepath.Join(b.to, destination)
				sentence, hint := b.refused(spec, failure.DestinationNotFound, spec.Destination)
				if !strings.Contains(sentence, "not a folder") || strings.Contains(hint, "mounted") {
					t.Errorf("it says %q, and advises %q", sentence, hint)
				}
			})
		})
	}
}

func TestCauseALinkThatLeadsInACircleIsStillToldAsOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.must(os.Symlink("loop", filepath.Join(b.to, "loop")))
	spec := b.spec("folder", transfer.Copy, transfer.Auto)
	spec.Destination = filepath.Join(b.to, "loop/below")
	if sentence, _ := b.refused(spec, failure.PathNotAllowed, spec.Destination); !strings.Contains(sentence, "circle") {
		t.Errorf("it says %q", sentence)
	}
}

func TestCauseWhatTheUserMayNotRead(t *testing.T) {
	t.Parallel()
	if !asOrdinaryUser(t, nil) {
		return
	}
	for _, name := range []string{"folder/sub/take 5.wav", "folder/sub"} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				for i := range 10 {
					b.write(fmt.Sprintf("from/folder/sub/take %d.wav", i), strings.Repeat("wave", 1<<16))
				}
				unchanged := b.keepNames(b.from, b.to)
				secret := filepath.Join(b.from, name)
				before, err := os.Stat(secret)
				b.must(err)
				b.must(os.Chmod(secret, 0))
				spec := b.spec("folder", mode, strategy)
				spec.Destination = filepath.Join(b.to, "new", "for it")
				_, err = b.run(t.Context(), spec)
				b.told(err, failure.SourcePermissionDenied, secret)
				b.must(os.Chmod(secret, before.Mode()))
				unchanged()
			})
		})
	}
}

func TestCauseADestinationWithoutRights(t *testing.T) {
	t.Parallel()
	if !asOrdinaryUser(t, nil) {
		return
	}
	cases := map[string]struct {
		mode        os.FileMode // of the folder "to"
		destination string
	}{
		"a folder that can't be written to":           {0o555, "to"},
		"a new folder in one that can't be":           {0o555, "to/new"},
		"new folders in one that can't be":            {0o555, "to/new/and new"},
		"a folder that can't be read":                 {0o333, "to"},
		"a folder that can't be passed":               {0o666, "to"},
		"a folder in one that can't be passed":        {0o666, "to/there"},
		"a folder that nothing can be done with":      {0, "to"},
		"a new folder where nothing can be looked up": {0, "to/new"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ways(func(mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				b.small()
				b.write("to/there/theirs", "keep")
				unchanged := b.keep(b.from, b.to)
				b.must(os.Chmod(b.to, c.mode))
				spec := b.spec("folder", mode, strategy)
				spec.Destination = filepath.Join(b.root, c.destination)
				_, err := b.run(t.Context(), spec)
				path := spec.Destination
				if c.mode == 0o666 && path == b.to { // it is there, but what it holds can't be known
					path = spec.FinalPath()
				}
				b.told(err, failure.DestinationPermissionDenied, path)
				b.must(os.Chmod(b.to, 0o755))
				unchanged()
			})
		})
	}
}

// TestCauseAMoveOfWhatIsSomeoneElses: in a sticky folder, as /tmp is, one may write, but not remove what others made.
func TestCauseAMoveOfWhatIsSomeoneElses(t *testing.T) {
	t.Parallel()
	prepare := func(dir string) {
		for _, folder := range []struct {
			path string
			mode os.FileMode
			user int
		}{
			{"", 0o755, nobody}, {"sticky", 0o1777, 0}, {"sticky/theirs", 0o755, 0}, {"ours", 0o755, nobody}, {"ours/sticky", 0o1777, 0},
			{"hollow", 0o755, nobody}, {"hollow/theirs", 0o755, 0}, {"hollow/theirs/empty", 0o755, 0},
		} {
			path := filepath.Join(dir, "prepared", folder.path)
			if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, folder.mode|stickyBit(folder.mode)),
				os.Chown(path, folder.user, folder.user)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 { // among ours, in whatever order they are listed
			path := filepath.Join(dir, "prepared/ours/sticky", fmt.Sprint(i))
			user := nobody
			if i == 10 {
				user = 0
			}
			if err := errors.Join(os.WriteFile(path, []byte("x"), 0o644), os.Chown(path, user, user)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !asOrdinaryUser(t, prepare) {
		return
	}
	for source, unremovable := range map[string]string{
		"sticky/theirs": "sticky/theirs", "ours": "ours/sticky/10", "hollow": "hollow/theirs/empty",
	} {
		t.Run(source, func(t *testing.T) {
			b := setup(t)
			b.from = filepath.Join(os.TempDir(), "prepared")
			b.engine.roots = append(b.engine.roots, b.from)
			b.acrossFileSystems()
			for _, strategy := range append(strategies, transfer.Auto) {
				sourceUnchanged, unchanged := b.keep(b.from), b.keepNames(b.to)
				spec := b.spec(source, transfer.Move, strategy)
				spec.Destination = filepath.Join(b.to, "new")
				_, err := b.run(t.Context(), spec)
				sentence := b.told(err, failure.SourcePermissionDenied, filepath.Join(b.from, unremovable))
				if !strings.Contains(sentence, "can't be moved") {
					t.Errorf("it says %q", sentence)
				}
				unchanged()
				sourceUnchanged()
			}
			_, err := b.run(t.Context(), b.spec(source, transfer.Copy, transfer.Auto))
			b.must(err) // it may be read
		})
	}
}

func stickyBit(mode os.FileMode) os.FileMode {
	if mode&0o1000 != 0 {
		return os.ModeSticky
	}
	return 0
}

// TestCauseATakeThatIsRecordedBeforeThePublish: what was copied is complete as it was read, so it is published; the move
// doesn't end well, and the new take stays.
func TestCauseATakeThatIsRecordedBeforeThePublish(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		b := setup(t)
		b.takes(3)
		b.log.beforePublish = func(transfer.Intent) error {
			b.write("from/folder/take 4.wav", "just recorded")
			return nil
		}
		spec := b.spec("folder", transfer.Move, strategy)
		_, err := b.run(t.Context(), spec)
		b.told(err, failure.SourceNotRemoved, filepath.Join(spec.Source, "take 4.wav"))
		b.holds(spec.Source, "take 4.wav")
		b.holds(spec.FinalPath(), "take 0.wav", "take 1.wav", "take 2.wav")
		b.must(b.engine.CleanUp(t.Context(), spec))
		b.holds(b.to, "folder")
	}
}

// compose is what Unicode calls NFC, as far as these tests need it.
var compose = strings.NewReplacer("e\u0301", "é", "o\u0308", "ö").Replace

func TestCauseNamesThatAreOneAtTheDestination(t *testing.T) {
	t.Parallel()
	link := func(path string) func(b *bench) {
		return func(b *bench) { b.must(os.Symlink("take", filepath.Join(b.from, "folder", path))) }
	}
	file := func(path string) func(b *bench) {
		return func(b *bench) { b.write("from/folder/"+path, path) }
	}
	cases := map[string]struct {
		fold        func(string) string
		first, then func(b *bench)
		names       string // either
	}{
		"files":             {strings.ToLower, file("Take.wav"), file("take.WAV"), "take.wav"},
		"files of folders":  {strings.ToLower, file("a/b/Take.wav"), file("a/b/take.WAV"), "take.wav"},
		"folders":           {strings.ToLower, file("Sub/x"), file("SUB/y"), "sub"},
		"a file, a folder":  {strings.ToLower, file("Sub"), file("SUB/y"), "sub"},
		"a file, a link":    {strings.ToLower, file("take"), link("TAKE"), "take"},
		"accents":           {compose, file("Se\u0301ance/x"), file("Séance/y"), "séance"},
		"a dot at the end":  {func(n string) string { return strings.TrimRight(n, ". ") }, file("take."), file("take"), "take"},
		"umlauts in a file": {compose, file("Ko\u0308ln.wav"), file("Köln.wav"), "köln.wav"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
				b := setup(t)
				c.first(b)
				c.then(b)
				b.foldDestination(c.fold)
				unchanged := b.keepNames(b.from, b.to)
				_, err := b.run(t.Context(), b.spec("folder", mode, strategy))
				path := b.toldBelow(err, failure.NameConflict, b.to)
				if got := strings.ToLower(compose(strings.TrimSuffix(filepath.Base(path), "."))); got != c.names {
					t.Errorf("the path is %s", path)
				}
				unchanged()
			})
		})
	}
}

func (b *bench) foldDestination(fold func(string) string) {
	hooked := b.engine.decorate.destination
	b.engine.decorate.destination = func(dir endpoint.Dir) endpoint.Dir { return endpointtest.Folded(hooked(dir), fold) }
}

func TestCauseAFinalNameThatIsTakenInAnotherCase(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
		b := setup(t)
		b.write("from/Session/x", "new")
		b.write("to/session/theirs", "old")
		b.foldDestination(strings.ToLower)
		spec := b.spec("Session", mode, strategy)
		b.refused(spec, failure.DestinationExists, spec.FinalPath())
	})
}

// TestCauseANameThatIsTooLong: eCryptfs, on many a NAS, takes names of 143 bytes.
func TestCauseANameThatIsTooLong(t *testing.T) {
	t.Parallel()
	const longest = 143
	long := strings.Repeat("n", longest+1)
	for _, path := range []string{long, "a/b/" + long, long + "/x"} {
		eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
			b := setup(t)
			b.write("from/folder/fits", "x")
			b.write("from/folder/"+strings.Repeat("m", longest), "fits just so")
			b.write("from/folder/"+path, "x")
			b.destination.Before = func(op endpointtest.Op, path string) error {
				if len(filepath.Base(path)) > longest {
					return syscall.ENAMETOOLONG
				}
				return nil
			}
			unchanged := b.keepNames(b.from, b.to)
			spec := b.spec("folder", mode, strategy)
			_, err := b.run(t.Context(), spec)
			if path := b.toldBelow(err, failure.NameConflict, b.to); filepath.Base(path) != long {
				t.Errorf("the path is %s", path)
			}
			unchanged()
		})
	}
}

func TestCauseABadDisk(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"from", "to"} {
		eachWay(t, func(t *testing.T, mode transfer.Mode, strategy transfer.Strategy) {
			b := setup(t)
			b.small()
			unchanged := b.keepNames(b.from, b.to)
			spec := b.spec("folder", mode, strategy)
			plan, err := b.engine.Plan(t.Context(), spec)
			b.must(err)
			hooks := map[string]*endpointtest.Hooks{"from": b.source, "to": b.destination}
			hooks[side].Before = func(op endpointtest.Op, path string) error {
				if filepath.Base(path) == "b" && (op == endpointtest.Read || op == endpointtest.Write) {
					return syscall.EIO
				}
				return nil
			}
			_, err = b.runPlan(t.Context(), plan)
			if path := b.toldBelow(err, failure.IOError, filepath.Join(b.root, side)); filepath.Base(path) != "b" {
				t.Errorf("the path is %s", path)
			}
			unchanged()
		})
	}
}

func TestMissingSpaceIsToldForPeopleAndToTheByte(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB (1000 bytes)", 999_949: "999.9 kB (999949 bytes)",
		999_950: "1.0 MB (999950 bytes)", 1 << 31: "2.1 GB (2147483648 bytes)", 5_000_000_000_000: "5.0 TB (5000000000000 bytes)",
		math.MaxUint64: "18.4 EB (18446744073709551615 bytes)",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	b := setup(t)
	b.write("from/clip.mov", strings.Repeat("x", 3_000_000))
	b.destination.Space = func(endpoint.Space) endpoint.Space { return endpoint.Space{Bytes: 900_000, Inodes: 99} }
	unchanged := b.keepNames(b.from, b.to)
	_, err := b.run(t.Context(), b.spec("clip.mov", transfer.Copy, transfer.Direct))
	want := "Not enough space in " + b.to + ": 3.0 MB (3000000 bytes) needed, 900.0 kB (900000 bytes) free, 2.1 MB (2100000 bytes) missing"
	if sentence := b.told(err, failure.DestinationFull, b.to); sentence != want {
		t.Errorf("it says %q, want %q", sentence, want)
	}
	unchanged()
}

// phases is an Observer that keeps the first progress of each phase, and lets a test wait for it.
type phases struct {
	*journal
	mu   sync.Mutex
	seen map[transfer.Phase]chan transfer.Progress
}

func (p *phases) of(phase transfer.Phase) chan transfer.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[phase] == nil {
		p.seen[phase] = make(chan transfer.Progress, 1)
	}
	return p.seen[phase]
}

func (p *phases) Progress(progress transfer.Progress) {
	p.journal.Progress(progress)
	select {
	case p.of(progress.Phase) <- progress:
	default: // it is not the first
	}
}

// TestTotalsAreTrueFromTheBeginning: time left is reckoned from them. Each phase is held at an operation of its own until
// its progress was told.
func TestTotalsAreTrueFromTheBeginning(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	type hold struct {
		op endpointtest.Op
		at string // a part of the path
	}
	copying, packing := hold{endpointtest.Create, "/data/folder/"}, hold{endpointtest.Create, "/archive.zip"}
	unpacking, verifying := copying, hold{endpointtest.Open, "/data/folder/"}
	cases := map[string]struct {
		mode     transfer.Mode
		strategy transfer.Strategy
		tmp      string
		holds    map[transfer.Phase]hold
	}{
		"copy DIRECT": {transfer.Copy, transfer.Direct, "", map[transfer.Phase]hold{
			transfer.Copying: copying, transfer.Syncing: {endpointtest.SyncAll, ""}, transfer.Verifying: verifying}},
		"move ZIP_FIRST": {transfer.Move, transfer.ZipFirst, "", map[transfer.Phase]hold{
			transfer.Packing: packing, transfer.Unpacking: unpacking, transfer.Verifying: verifying,
			transfer.Removing: {endpointtest.Remove, "/from/folder/"}}},
		"copy ZIP_FIRST by a folder for archives": {transfer.Copy, transfer.ZipFirst, tmp, map[transfer.Phase]hold{
			transfer.Sending: packing, transfer.Unpacking: unpacking}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(o *Options) { o.TmpDir, o.Parallel = c.tmp, 1 })
			b.sample("folder")
			plan, err := b.engine.Plan(t.Context(), b.spec("folder", c.mode, c.strategy))
			b.must(err)
			log := &phases{journal: b.log, seen: map[transfer.Phase]chan transfer.Progress{}}
			var mu sync.Mutex
			got := map[transfer.Phase]transfer.Progress{}
			wait := func(op endpointtest.Op, path string) error {
				mu.Lock()
				defer mu.Unlock()
				for phase, hold := range c.holds {
					if _, done := got[phase]; !done && op == hold.op && strings.Contains(path, hold.at) {
						got[phase] = <-log.of(phase)
					}
				}
				return nil
			}
			b.source.Before, b.destination.Before = wait, wait
			run := b.engine.RunTransfer
			if c.strategy == transfer.ZipFirst {
				run = b.engine.RunTransferZipFirst
			}
			result, err := run(t.Context(), plan, log)
			b.must(err)
			if result.Files != plan.Files || result.Bytes != plan.Bytes {
				t.Errorf("planned %+v, done %+v", plan, result)
			}
			for phase := range c.holds {
				p, want := got[phase], transfer.Progress{Phase: phase, FilesTotal: plan.Files, BytesTotal: plan.Bytes}
				switch phase {
				case transfer.Syncing:
					want.FilesTotal, want.BytesTotal = 0, 0 // nobody knows
				case transfer.Sending:
					want.FilesTotal, want.BytesTotal = 1, b.log.figures(transfer.EventArchiveSent)["archive_bytes"].(int64)
				}
				if p.FilesTotal != want.FilesTotal || p.BytesTotal != want.BytesTotal {
					t.Errorf("%s: told %+v, want the totals of %+v", phase, p, want)
				}
			}
			if last := b.log.progress; last.FilesDone != plan.Files || last.BytesDone != plan.Bytes {
				t.Errorf("it ends with %+v", last)
			}
		})
	}
}
