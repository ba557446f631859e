package engine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// refuses plans and runs what must fail with code and change nothing.
func (b *bench) refuses(spec transfer.Spec, code failure.Code) {
	b.Helper()
	before := b.snapshot(b.root)
	_, err := b.engine.Plan(b.Context(), spec)
	b.fails(err, code)
	if code != failure.UnsupportedFileType { // the plan alone looks at the whole tree
		_, err = b.runPlan(b.Context(), planner.Plan{Spec: spec})
		b.fails(err, code)
	}
	b.same(b.snapshot(b.root), before)
}

func TestASpecThatCanNeverBeRightIsInvalid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	wrong := map[string]func(*transfer.Spec){
		"empty source":         func(s *transfer.Spec) { s.Source = "" },
		"relative source":      func(s *transfer.Spec) { s.Source = "folder" },
		"source with ..":       func(s *transfer.Spec) { s.Source += "/../folder" },
		"source with a slash":  func(s *transfer.Spec) { s.Source += "/" },
		"NUL":                  func(s *transfer.Spec) { s.Source += "\x00" },
		"the whole system":     func(s *transfer.Spec) { s.Source = "/" },
		"a long name":          func(s *transfer.Spec) { s.Source += strings.Repeat("x", 256) },
		"a long path":          func(s *transfer.Spec) { s.Destination += strings.Repeat("/xxxxxxx", 600) },
		"relative destination": func(s *transfer.Spec) { s.Destination = "to" },
		"mode":                 func(s *transfer.Spec) { s.Mode = "link" },
		"strategy":             func(s *transfer.Spec) { s.Strategy = "ZIP" },
		"verify":               func(s *transfer.Spec) { s.Verify = "md5" },
		"no token":             func(s *transfer.Spec) { s.Run.Token = "" },
		"a token with a slash": func(s *transfer.Spec) { s.Run.Token = "a/b" },
		"no installation":      func(s *transfer.Spec) { s.Run.Installation = "" },
	}
	for what, change := range wrong {
		spec := b.spec("folder", transfer.Copy, transfer.Direct)
		change(&spec)
		t.Log(what)
		b.refuses(spec, failure.InvalidRequest)
	}
}

func TestSourceAndDestinationMustLieApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.must(os.Symlink("folder/sub", filepath.Join(b.from, "shortcut")))
	for destination, code := range map[string]failure.Code{
		"from/folder":         failure.DestinationInsideSource,
		"from/folder/sub":     failure.DestinationInsideSource,
		"from/folder/sub/new": failure.DestinationInsideSource,
		"from/shortcut":       failure.DestinationInsideSource,
		"from":                failure.SourceInsideDestination,
	} {
		for _, mode := range modes {
			spec := b.spec("folder", mode, transfer.Auto)
			spec.Destination = filepath.Join(b.root, destination)
			t.Log(destination)
			b.refuses(spec, code)
		}
	}
}

func TestPathsMustLieInAnAllowedRoot(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	b := setup(t, func(o *Options) {
		root := o.AllowedRoots[0]
		o.AllowedRoots = []string{root + "/from", root + "/to", root + "/unmounted"}
	})
	b.small()
	b.must(os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	b.must(os.Symlink(outside, filepath.Join(b.from, "out")))
	b.must(os.Symlink(outside, filepath.Join(b.to, "out")))
	b.must(os.Symlink("nowhere", filepath.Join(b.to, "dangling")))
	b.must(os.Symlink("loop", filepath.Join(b.to, "loop")))
	b.must(os.Mkdir(filepath.Join(b.root, "from2"), 0o755))
	b.write("from2/file", "beside a root whose name it begins with")
	cases := []struct {
		source, destination string
		code                failure.Code
	}{
		{"from/out/secret", "to", failure.PathNotAllowed},
		{"from2/file", "to", failure.PathNotAllowed},
		{"from/folder", "to/out", failure.PathNotAllowed},
		{"from/folder", "to/out/new", failure.PathNotAllowed},
		{"from/folder", "to/dangling", failure.PathNotAllowed},
		{"from/folder", "to/dangling/new", failure.PathNotAllowed},
		{"from/folder", "to/loop", failure.PathNotAllowed},
		{"from/folder", "elsewhere", failure.PathNotAllowed},
		{"from/folder", "unmounted", failure.DestinationNotFound},
		{"from/folder", "unmounted/new", failure.DestinationNotFound},
		{"unmounted/folder", "to", failure.SourceNotFound},
		{"from/folder/a/b", "to", failure.SourceNotFound},
	}
	for _, c := range cases {
		spec := b.spec("", transfer.Copy, transfer.Auto)
		spec.Source, spec.Destination = filepath.Join(b.root, c.source), filepath.Join(b.root, c.destination)
		t.Log(c.source, c.destination)
		b.refuses(spec, c.code)
	}
}

func TestALinkIsNoSourceButMayLeadToADestination(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.must(os.Symlink("folder", filepath.Join(b.from, "link")))
	b.must(os.Symlink("to", filepath.Join(b.root, "also to")))
	spec := b.spec("link", transfer.Copy, transfer.Auto)
	b.refuses(spec, failure.UnsupportedFileType)
	_, err := b.engine.Plan(t.Context(), spec)
	if hint := failure.From(err).Advice(); !strings.Contains(hint, filepath.Join(b.from, "folder")) {
		t.Errorf("the hint is %q", hint)
	}
	spec = b.spec("folder", transfer.Copy, transfer.Auto)
	spec.Destination = filepath.Join(b.root, "also to", "new")
	_, err = b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(filepath.Join(b.to, "new/folder")), b.snapshot(spec.Source))
}

func TestAnAllowedRootMayBeCopiedButNotMoved(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.AllowedRoots = []string{o.AllowedRoots[0] + "/from", o.AllowedRoots[0] + "/to"} })
	b.small()
	spec := b.spec("", transfer.Move, transfer.Auto)
	b.refuses(spec, failure.PathNotAllowed)
	spec.Mode = transfer.Copy
	_, err := b.run(t.Context(), spec)
	b.must(err)
	b.same(b.snapshot(filepath.Join(b.to, "from")), b.snapshot(b.from))

	all := setup(t)
	all.small()
	all.engine.roots = append(all.engine.roots, filepath.Join(all.from, "folder/sub"))
	all.refuses(all.spec("folder", transfer.Move, transfer.Auto), failure.PathNotAllowed)
}

func TestWhatIsNoFileIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.small()
	b.must(os.Chmod(filepath.Join(b.from, "folder/sub"), 0o755))
	b.must(syscall.Mkfifo(filepath.Join(b.from, "folder/sub/fifo"), 0o600))
	listener, err := net.Listen("unix", filepath.Join(b.from, "socket"))
	b.must(err)
	defer listener.Close()
	for source, path := range map[string]string{"folder": "folder/sub/fifo", "socket": "socket"} {
		spec := b.spec(source, transfer.Copy, transfer.Auto)
		spec.Destination = filepath.Join(b.to, "new")
		b.refuses(spec, failure.UnsupportedFileType)
		_, err := b.engine.Plan(t.Context(), spec)
		if got := failure.From(err).Path; got != filepath.Join(b.from, path) {
			t.Errorf("path is %s", got)
		}
	}
}

func TestAnEngineNeedsRootsAndSaneOptions(t *testing.T) {
	t.Parallel()
	for _, options := range []Options{
		{}, {AllowedRoots: []string{"relative"}}, {AllowedRoots: []string{"/a/"}},
		{AllowedRoots: []string{"/"}, TmpDir: "relative"}, {AllowedRoots: []string{"/"}, Parallel: -1},
		{AllowedRoots: []string{"/"}, Policy: planner.Policy{ZipThresholdFiles: -1}},
	} {
		if _, err := New(options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
	if _, err := New(Options{AllowedRoots: []string{"/"}}); err != nil {
		t.Error(err)
	}
}
