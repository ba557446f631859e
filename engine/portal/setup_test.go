package portal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testsshd"
)

// TestMain is the far host's ketter where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		if user, err := strconv.Atoi(os.Getenv("KETTER_TEST_USER")); err == nil {
			if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(user), syscall.Setuid(user)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		if err := agent.Serve(context.Background(), os.Stdin, os.Stdout, agent.ServeOptions{Version: "test"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue { // tests wait most of their time
		_ = flag.Set("test.parallel", "12")
	}
	os.Exit(m.Run())
}

// bench is a host, LAB, and another one, SRVTRF, that it reaches as portal 1.
type bench struct {
	testing.TB
	lab, srv string
	sshd     *testsshd.Server
	portal   Portal
	second   Portal // of id 2; the same as 1 where nothing else is said
	options  Options
	portals  *Portals
	engine   *engine.Engine
	log      *journal
	runs     int
}

// way is how the other host may be used.
type way struct {
	via     string // as Reach.Facts tell it
	sshd    testsshd.Options
	agent   bool
	methods map[transfer.Strategy]transfer.Method
}

var ways = map[string]way{
	"agent": {via: "agent", agent: true,
		methods: map[transfer.Strategy]transfer.Method{transfer.Direct: transfer.Copied, transfer.ZipFirst: transfer.Stream}},
	"tools": {via: "sftp",
		methods: map[transfer.Strategy]transfer.Method{transfer.Direct: transfer.Copied, transfer.ZipFirst: transfer.Stream}},
	"sftp only": {via: "sftp", sshd: testsshd.Options{Command: "internal-sftp"},
		methods: map[transfer.Strategy]transfer.Method{transfer.Direct: transfer.Copied, transfer.ZipFirst: transfer.Copied}},
}

func setup(t testing.TB, w way, change ...func(*Portal)) *bench {
	t.Helper()
	b := &bench{TB: t, lab: t.TempDir(), srv: t.TempDir(), sshd: testsshd.Start(t, w.sshd), log: &journal{}}
	b.portal = Portal{ID: 1, Name: "SRVTRF", Root: b.srv, Target: b.sshd.Target(4), AgentPath: "/nowhere/ketter"}
	if w.agent {
		self, err := os.Executable()
		b.must(err)
		b.portal.AgentPath = self
	}
	for _, c := range change {
		c(&b.portal)
	}
	b.options = Options{Roots: local.Roots{b.lab}, Find: b.find}
	b.begin()
	return b
}

func (b *bench) find(_ context.Context, id int64) (Portal, error) {
	switch {
	case id == 1:
		return b.portal, nil
	case id == 2 && b.second.ID == 2:
		return b.second, nil
	}
	return Portal{}, failure.New(failure.PortalNotFound, "", "No such portal")
}

// begin makes the engine, also one that follows another with other options.
func (b *bench) begin() {
	b.Helper()
	if b.portals != nil {
		b.portals.Close()
	}
	b.portals = New(b.options)
	b.Cleanup(b.portals.Close)
	e, err := engine.New(engine.Options{AllowedRoots: []string{b.lab}, Portals: b.portals})
	b.must(err)
	b.engine = e
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) spec(mode transfer.Mode, strategy transfer.Strategy, upload bool) transfer.Spec {
	b.runs++
	spec := transfer.Spec{Source: filepath.Join(b.lab, "Day 1"), DestinationPortal: 1, Destination: "/in",
		Mode: mode, Strategy: strategy, Verify: transfer.Checksum,
		Run: transfer.Run{Installation: "test", Job: 7, Token: fmt.Sprintf("t%d", b.runs)}}
	if !upload {
		spec.Source, spec.SourcePortal = "/Day 1", 1
		spec.Destination, spec.DestinationPortal = filepath.Join(b.lab, "in"), 0
	}
	return spec
}

// folders are where the two sides of a spec are on this machine.
func (b *bench) folders(spec transfer.Spec) (source, destination string) {
	source, destination = spec.Source, spec.FinalPath()
	if spec.SourcePortal != 0 {
		source = filepath.Join(b.srv, source)
	}
	if spec.DestinationPortal != 0 {
		destination = filepath.Join(b.srv, destination)
	}
	return source, destination
}

func (b *bench) run(ctx context.Context, spec transfer.Spec) (transfer.Result, error) {
	plan, err := b.engine.Plan(ctx, spec)
	if err != nil {
		return transfer.Result{}, err
	}
	if plan.Strategy == transfer.ZipFirst {
		return b.engine.RunTransferZipFirst(ctx, plan, b.log)
	}
	return b.engine.RunTransfer(ctx, plan, b.log)
}

// sample makes a tree of small files in folders, odd names, links and one large file.
func (b *bench) sample(top string, files int) {
	b.Helper()
	for i := range files {
		b.write(filepath.Join(top, fmt.Sprintf("audio %d", i%3), fmt.Sprintf("take;%d.wav", i)), strings.Repeat("x", 1000+i))
	}
	for _, name := range []string{"new\nline", "$(touch pwned)", "`touch pwned`", "-rf", `back\slash`, "'quoted'", "\xff\xfe", "é"} {
		b.write(filepath.Join(top, "odd", name), name)
	}
	b.write(filepath.Join(top, "empty file"), "")
	b.write(filepath.Join(top, "A001.mov"), strings.Repeat("frame", 3<<20))
	b.must(os.MkdirAll(filepath.Join(top, "empty/too"), 0o755))
	b.must(os.Symlink("audio 0", filepath.Join(top, "link")))
	b.must(os.Symlink("/etc/passwd", filepath.Join(top, "outward")))
	b.must(os.Chmod(filepath.Join(top, "empty file"), 0o444))
	b.age(top)
}

// age gives a tree a time in whole seconds, which any storage can hold.
func (b *bench) age(top string) {
	b.Helper()
	when := time.Date(2020, 2, 29, 12, 30, 1, 0, time.UTC)
	b.must(filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSymlink == 0 {
			err = os.Chtimes(p, when, when)
		}
		return err
	}))
}

func (b *bench) write(path, content string) {
	b.Helper()
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	b.must(os.WriteFile(path, []byte(content), 0o644))
}

// snapshot is all that a tree holds, without times of symbolic links.
func (b *bench) snapshot(top string) string {
	b.Helper()
	var s strings.Builder
	b.must(filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, p)
		fmt.Fprintf(&s, "%q %v", rel, info.Mode())
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			fmt.Fprintf(&s, " -> %q", target)
		case !d.IsDir():
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&s, " %v %d %q", info.ModTime().UTC(), len(content), content[:min(len(content), 2000)])
		default:
			fmt.Fprintf(&s, " %v", info.ModTime().UTC())
		}
		s.WriteByte('\n')
		return nil
	}))
	return s.String()
}

// clean makes sure that nothing but what is named lies in a folder.
func (b *bench) clean(dir string, names ...string) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	b.must(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		b.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

// journal is an observer that remembers.
type journal struct {
	mu      sync.Mutex
	events  []transfer.Event
	intents []transfer.Intent
	at      func(phase transfer.Phase)
}

func (j *journal) Event(_ context.Context, e transfer.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) Progress(p transfer.Progress) {
	if j.at != nil {
		j.at(p.Phase)
	}
}

func (j *journal) BeforePublish(_ context.Context, intent transfer.Intent) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.intents = append(j.intents, intent)
	return nil
}

func (j *journal) NotPublished(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.intents = nil
	return nil
}
func (j *journal) BeforeInherit(context.Context) error { return nil }

func (j *journal) via() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Kind == transfer.EventConnected {
			return fmt.Sprint(e.Figures["via"])
		}
	}
	return ""
}
