package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// changing are the operations that change something.
var changing = []endpointtest.Op{endpointtest.Create, endpointtest.Write, endpointtest.CopyFrom, endpointtest.Clone, endpointtest.Reserve,
	endpointtest.Truncate, endpointtest.SetXattrs, endpointtest.FileMode, endpointtest.FileTime, endpointtest.Mkdir, endpointtest.Symlink,
	endpointtest.Link, endpointtest.Reopen, endpointtest.Rename, endpointtest.Remove, endpointtest.RemoveDir, endpointtest.SetMode,
	endpointtest.SetTime}

// guard fails the test on every changing operation on either side, until it is lifted. To rename what isn't there changes nothing.
func (b *bench) guard() (lift func()) {
	b.Helper()
	hooks := []*endpointtest.Hooks{b.source, b.destination}
	before := []func(endpointtest.Op, string) error{b.source.Before, b.destination.Before}
	for i, h := range hooks {
		h.Before = func(op endpointtest.Op, path string) error {
			_, err := os.Lstat(path)
			harmless := op == endpointtest.Rename && errors.Is(err, fs.ErrNotExist)
			if slices.Contains(changing, op) && !harmless {
				b.Errorf("%s %s: nothing may be changed", op, path)
				return syscall.EPERM
			}
			if before[i] == nil {
				return nil
			}
			return before[i](op, path)
		}
	}
	return func() { b.source.Before, b.destination.Before = before[0], before[1] }
}

// stamp says what a tree holds as lstat tells it, the times of the folders too.
func (b *bench) stamp() string {
	b.Helper()
	var all strings.Builder
	_ = filepath.WalkDir(b.root, func(p string, d fs.DirEntry, err error) error {
		if info, err := os.Lstat(p); err == nil {
			fmt.Fprintln(&all, p, info.Mode(), info.Size(), info.ModTime().UnixNano())
			return nil
		}
		fmt.Fprintln(&all, p, err) // it can't be looked at
		return nil
	})
	return all.String()
}

// outlook looks, and makes sure that nothing is changed by it.
func (b *bench) outlook(spec transfer.Spec) Outlook {
	b.Helper()
	before, lift := b.stamp(), b.guard()
	o, err := b.engine.Outlook(b.Context(), spec)
	lift()
	b.must(err)
	if after := b.stamp(); after != before {
		b.Fatalf("it changed\n%s\ninto\n%s", before, after)
	}
	return o
}

// comesTrue runs what was looked at, and compares.
func (b *bench) comesTrue(spec transfer.Spec) Outlook {
	b.Helper()
	o := b.outlook(spec)
	result, err := b.run(b.Context(), spec)
	switch {
	case err != nil && len(o.Problems) == 0:
		b.Fatalf("nothing was foreseen, and it failed: %v", err)
	case err != nil:
		f := failure.From(err)
		if p := o.Problems[0]; p.Code != f.Code || p.Path != f.Path || p.Sentence() != f.Sentence() || p.Advice() != f.Advice() {
			b.Errorf("foreseen %q (%s), and it failed with %q (%s)", p.Sentence(), p.Advice(), f.Sentence(), f.Advice())
		}
	case len(o.Problems) > 0:
		b.Errorf("foreseen %v, and all went well", o.Problems)
	case o.Method != result.Method || o.Plan.Files != result.Files || o.Plan.Bytes != result.Bytes:
		b.Errorf("foreseen %s of %d files and %d bytes, and it was %+v", o.Method, o.Plan.Files, o.Plan.Bytes, result)
	}
	return o
}

// situation is what a transfer may find.
type situation struct {
	prepare func(b *bench)
	change  func(b *bench, spec *transfer.Spec)
	options func(o *Options)
}

func situations() map[string]situation {
	to := func(destination string) func(b *bench, spec *transfer.Spec) {
		return func(b *bench, spec *transfer.Spec) { spec.Destination = filepath.Join(b.root, destination) }
	}
	from := func(source string) func(b *bench, spec *transfer.Spec) {
		return func(b *bench, spec *transfer.Spec) { spec.Source = filepath.Join(b.root, source) }
	}
	space := func(space endpoint.Space) func(b *bench) {
		return func(b *bench) {
			b.acrossFileSystems()
			b.destination.Space = func(endpoint.Space) endpoint.Space { return space }
		}
	}
	many := func(o *Options) { o.Policy = planner.Policy{ZipThresholdFiles: 2, ZipThresholdAvgSize: 1 << 20} }
	return map[string]situation{
		"nothing special":            {},
		"many small files":           {options: many},
		"another file system":        {prepare: (*bench).acrossFileSystems, options: many},
		"an empty folder":            {prepare: func(b *bench) { b.must(os.Mkdir(filepath.Join(b.from, "empty"), 0o755)) }, change: from("from/empty")},
		"a single file":              {change: from("from/folder/a")},
		"folders to be made":         {change: to("to/new/and new")},
		"a folder shut to its owner": {prepare: func(b *bench) { b.must(os.Chmod(filepath.Join(b.from, "folder"), 0o555)) }},
		"a name that is taken":       {prepare: func(b *bench) { b.write("to/folder/theirs", "keep") }},
		"taken by a dangling link":   {prepare: func(b *bench) { b.must(os.Symlink("nowhere", filepath.Join(b.to, "folder"))) }},
		"taken in another case": {prepare: func(b *bench) {
			b.write("to/folder/theirs", "keep")
			b.must(os.Rename(filepath.Join(b.from, "folder"), filepath.Join(b.from, "FOLDER")))
			b.foldDestination(strings.ToLower)
		}, change: from("from/FOLDER")},
		"no source":                     {change: from("from/nothing")},
		"no source, nor where it was":   {change: from("from/no/such/folder")},
		"a link as the source":          {prepare: func(b *bench) { b.must(os.Symlink("folder", filepath.Join(b.from, "link"))) }, change: from("from/link")},
		"a FIFO as the source":          {prepare: func(b *bench) { b.must(syscall.Mkfifo(filepath.Join(b.from, "fifo"), 0o600)) }, change: from("from/fifo")},
		"a FIFO in it":                  {prepare: func(b *bench) { b.must(syscall.Mkfifo(filepath.Join(b.from, "folder/fifo"), 0o600)) }},
		"a source outside the roots":    {change: func(_ *bench, spec *transfer.Spec) { spec.Source = "/etc/passwd" }},
		"a destination outside them":    {change: func(_ *bench, spec *transfer.Spec) { spec.Destination = "/etc" }},
		"a destination inside it":       {change: to("from/folder")},
		"a new one inside it":           {change: to("from/folder/new")},
		"the source lies there already": {change: to("from")},
		"a destination that is a file":  {prepare: func(b *bench) { b.write("to/file", "theirs") }, change: to("to/file")},
		"too few bytes":                 {prepare: space(endpoint.Space{Bytes: 2, Inodes: 1000})},
		"too few inodes":                {prepare: space(endpoint.Space{Bytes: 1 << 40, Inodes: 4})},
		"a source that stays": {prepare: func(b *bench) {
			b.source.Before = func(op endpointtest.Op, path string) error {
				if op == endpointtest.CanRemove && path == filepath.Join(b.from, "folder") {
					return syscall.EPERM
				}
				return nil
			}
		}},
		"a file in it that stays": {prepare: func(b *bench) {
			b.source.Before = func(op endpointtest.Op, path string) error {
				switch {
				case op == endpointtest.Rename:
					return syscall.EXDEV
				case op == endpointtest.CanRemove && path == filepath.Join(b.from, "folder/sub"):
					return syscall.EPERM
				}
				return nil
			}
		}},
		"links where there are none": {prepare: func(b *bench) {
			b.acrossFileSystems()
			b.destination.Capabilities = func(c endpoint.Capabilities) endpoint.Capabilities {
				c.Symlinks = false
				return c
			}
		}},
		"no folder for archives":  {prepare: (*bench).acrossFileSystems, options: func(o *Options) { o.TmpDir = "/nonexistent/archives" }},
		"a mode that there isn't": {change: func(_ *bench, spec *transfer.Spec) { spec.Mode = "sync" }},
	}
}

func TestWhatIsForeseenComesTrue(t *testing.T) {
	t.Parallel()
	for what, s := range situations() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ways(func(mode transfer.Mode, strategy transfer.Strategy) {
				t.Run(fmt.Sprintf("%s %s", mode, strategy), func(t *testing.T) {
					var options []func(*Options)
					if s.options != nil {
						options = append(options, s.options)
					}
					b := setup(t, options...)
					b.small()
					if s.prepare != nil {
						s.prepare(b)
					}
					spec := b.spec("folder", mode, strategy)
					if s.change != nil {
						s.change(b, &spec)
					}
					b.comesTrue(spec)
				})
			})
		})
	}
}

func TestWhatIsForeseenOverANetworkComesTrue(t *testing.T) {
	t.Parallel()
	for name, over := range networks() {
		ways(func(mode transfer.Mode, strategy transfer.Strategy) {
			t.Run(fmt.Sprint(name, " ", mode, " ", strategy), func(t *testing.T) {
				t.Parallel()
				b := setup(t, func(o *Options) { o.Policy = planner.Policy{ZipThresholdFiles: 2, ZipThresholdAvgSize: 1 << 20} })
				b.acrossFileSystems()
				b.goOver(over)
				b.small()
				o := b.comesTrue(b.spec("folder", mode, strategy))
				nobody := over.source != nil && !over.source.Bulk || over.destination != nil && !over.destination.Bulk
				if nobody && strategy != transfer.Direct && !strings.Contains(o.Why, "could unpack") {
					t.Errorf("it says %q", o.Why)
				}
			})
		})
	}
}

// TestAllThatWouldFailIsToldAtOnce: a run would stop at the first.
func TestAllThatWouldFailIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acrossFileSystems()
	b.small()
	b.must(syscall.Mkfifo(filepath.Join(b.from, "folder/fifo"), 0o600))
	b.must(syscall.Mkfifo(filepath.Join(b.from, "folder/sub/fifo"), 0o600))
	b.write("to/folder/theirs", "keep")
	b.source.Before = func(op endpointtest.Op, path string) error {
		if op == endpointtest.CanRemove {
			return syscall.EPERM
		}
		return nil
	}
	b.destination.Space = func(endpoint.Space) endpoint.Space { return endpoint.Space{Bytes: 1, Inodes: 1000} }
	b.destination.Before = func(op endpointtest.Op, path string) error {
		if op == endpointtest.CanMake {
			return syscall.EROFS
		}
		return nil
	}
	o := b.outlook(b.spec("folder", transfer.Move, transfer.Direct))
	var codes []string
	for _, p := range o.Problems {
		codes = append(codes, string(p.Code))
	}
	want := "destination_exists unsupported_file_type unsupported_file_type source_permission_denied source_permission_denied " +
		"destination_full destination_read_only"
	if got := strings.Join(codes, " "); got != want {
		t.Errorf("it tells %s, want %s", got, want)
	}
	if o.Plan.Files != 3 || o.Plan.Strategy != transfer.Direct || o.Method != transfer.Copied || o.Free != 1 || o.Needed <= 1 {
		t.Errorf("the outlook is %+v", o)
	}
}

func TestADestinationIsLookedAtWithoutItsSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write("to/nothing", "theirs")
	o := b.outlook(b.spec("nothing", transfer.Copy, transfer.Auto))
	if len(o.Problems) != 2 || o.Problems[0].Code != failure.DestinationExists || o.Problems[1].Code != failure.SourceNotFound {
		t.Errorf("it tells %v", o.Problems)
	}
	if o.Plan.Strategy != "" || o.Method != "" || o.Free == 0 {
		t.Errorf("the outlook is %+v", o)
	}
}

func TestProblemsAreTellableHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 * mostProblems {
		b.write(fmt.Sprintf("from/folder/%d/file", i), "x")
		b.must(syscall.Mkfifo(filepath.Join(b.from, fmt.Sprintf("folder/%d/fifo", i)), 0o600))
	}
	o := b.outlook(b.spec("folder", transfer.Copy, transfer.Auto))
	if len(o.Problems) != mostProblems || o.Plan.Files != 3*mostProblems {
		t.Errorf("%d problems, %d files", len(o.Problems), o.Plan.Files)
	}
}

func TestALookThatIsStoppedTellsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.engine.Outlook(ctx, b.spec("folder", transfer.Copy, transfer.Auto)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// TestAnEarlierRunIsForeseenToBeGoneOnWith: what it has published is no obstacle, and what it has left not looked for once more.
func TestAnEarlierRunIsForeseenToBeGoneOnWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acrossFileSystems()
	b.small()
	b.log.onEvent = func(e transfer.Event) error {
		if e.Kind == transfer.EventPublished {
			return errCrash
		}
		return nil
	}
	spec := b.spec("folder", transfer.Move, transfer.Auto)
	if _, err := b.run(t.Context(), spec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	b.log.onEvent = nil
	spec.Run = b.newRun()
	if o := b.comesTrue(spec); !strings.Contains(o.Why, "published") {
		t.Errorf("it says %q", o.Why)
	}
	b.gone(spec.Source)
}

func TestWhatAnOrdinaryUserMayNotDoIsForeseen(t *testing.T) {
	t.Parallel()
	if !asOrdinaryUser(t, nil) {
		return
	}
	cases := map[string]struct {
		path        string
		mode        os.FileMode
		destination string
	}{
		"a file that can't be read":           {"from/folder/sub/b", 0, "to"},
		"a folder that can't be listed":       {"from/folder/sub", 0o333, "to"},
		"a folder that can't be passed":       {"from/folder/sub", 0o666, "to"},
		"a source's folder that is shut":      {"from", 0o555, "to"},
		"a destination that is shut":          {"to", 0o555, "to"},
		"new folders where it is shut":        {"to", 0o555, "to/new/and new"},
		"a destination that can't be read":    {"to", 0o333, "to"},
		"a destination that can't be passed":  {"to", 0o666, "to"},
		"a source that is shut to its owner":  {"from/folder", 0o555, "to"},
		"a shut folder in a source":           {"from/folder/sub", 0o555, "to"},
		"new folders where nothing is looked": {"to", 0, "to/new"},
	}
	for what, c := range cases {
		ways(func(mode transfer.Mode, strategy transfer.Strategy) {
			t.Run(fmt.Sprint(what, " ", mode, " ", strategy), func(t *testing.T) {
				b := setup(t)
				b.small()
				b.must(os.Chmod(filepath.Join(b.root, c.path), c.mode))
				spec := b.spec("folder", mode, strategy)
				spec.Destination = filepath.Join(b.root, c.destination)
				b.comesTrue(spec)
			})
		})
	}
}
