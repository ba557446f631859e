package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ketter/ketter/infra/machine"
	"github.com/ketter/ketter/infra/sample"
)

// place is where a set is copied from and to. With latency, the ways see its folder through mounts, and this program, which
// makes sources and removes destinations, sees it as it is.
type place struct {
	name      string
	parent    string // given by a flag
	latency   bool
	delay     time.Duration
	both      bool // the source is behind the latency too
	latencyfs string
	sets      []sample.Set
	moveSets  []sample.Set
	rounds    int
	refused   string // why nothing can be measured here
	tasks     []task

	work   string // removed at the end
	dir    string // holds sources and destinations
	mounts []*mount
}

func newPlace(name string, o options) (*place, error) {
	p := &place{name: name, parent: o.memoryDir, rounds: o.rounds, latencyfs: o.latencyfs}
	kind, rest, _ := strings.Cut(name, ":")
	var err error
	sets, moveSets := o.sets, o.moveSets
	switch {
	case name == "memory":
	case name == "disk":
		p.parent = o.diskDir
	case kind == "latency":
		var both string
		rest, both, p.both = strings.Cut(rest, ":")
		p.delay, err = time.ParseDuration(rest)
		if err != nil || p.delay < 0 || p.both && both != "both" {
			return nil, fmt.Errorf("a place with latency is latency:2ms or latency:2ms:both, not %q", name)
		}
		p.latency, p.rounds, sets, moveSets = true, o.latencyRounds, o.latencySets, ""
	default:
		return nil, fmt.Errorf("there is no place %q, but memory, disk, latency:DELAY and latency:DELAY:both", name)
	}
	p.refused = p.refusal()
	if p.sets, err = sample.Parse(sets); err != nil {
		return nil, err
	}
	p.moveSets, err = sample.Parse(moveSets)
	return p, err
}

// refusal says why nothing can be measured here, if so.
func (p *place) refusal() string {
	if info, err := os.Stat(p.parent); err != nil || !info.IsDir() {
		return "there is no folder for it; see --memory-dir and --disk-dir"
	}
	if p.name == "disk" && machine.IsMemory(p.parent) {
		return "the folder is in memory; see --disk-dir"
	}
	if !p.latency {
		return ""
	}
	if p.latencyfs == "" {
		return "there is no latencyfs; see --latencyfs"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "this machine has no FUSE"
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		return "fusermount3 is not installed"
	}
	return ""
}

// plan makes tasks of the sets: copies first.
func (p *place) plan(ways []way) {
	var copies, moves []way
	for _, w := range ways {
		if w.move {
			moves = append(moves, w)
		} else {
			copies = append(copies, w)
		}
	}
	for _, s := range p.sets {
		if len(copies) > 0 {
			p.tasks = append(p.tasks, task{s, copies, p.rounds})
		}
	}
	for _, s := range p.moveSets {
		if len(moves) > 0 {
			p.tasks = append(p.tasks, task{s, moves, p.rounds})
		}
	}
}

func (p *place) title() string {
	switch {
	case p.both:
		return fmt.Sprintf("Both behind %v of latency", p.delay)
	case p.latency:
		return fmt.Sprintf("Destination behind %v of latency", p.delay)
	case p.name == "disk":
		return "Disk"
	default:
		return "Memory"
	}
}

func (p *place) about(isRoot bool) string {
	system, start := machine.FileSystem(p.parent), ""
	switch {
	case p.cold() && isRoot:
		start = " Before each run all is synced and caches are dropped: every way reads a cold source."
	case p.cold():
		start = " Before each run all is synced; dropping caches needs root, so every way but the first reads a warm source."
	}
	where := "Source and destination on " + system + "."
	switch {
	case p.both:
		where = fmt.Sprintf("Source and destination on two mounts where every operation takes %v longer.", p.delay)
	case p.latency:
		where = fmt.Sprintf("Source on %s, destination on a mount where every operation takes %v longer.", system, p.delay)
	}
	return where + start
}

// cold says whether caches would make who reads second look fast.
func (p *place) cold() bool { return p.name == "disk" || p.both }

func (p *place) settle(ctx context.Context, isRoot bool) error {
	if !p.cold() {
		return nil
	}
	if err := machine.Sync(ctx); err != nil || !isRoot {
		return err
	}
	return p.dropCaches(machine.DataAndNames) // names and attributes too
}

// flush has mounts write what they hold back (times of files), so that no way pays for the one before it.
func (p *place) flush(ctx context.Context) error {
	if !p.latency {
		return nil
	}
	return machine.Sync(ctx)
}

// hasCache says whether what was written may be read from a cache. What is in memory is its own.
func (p *place) hasCache() bool { return p.latency || !machine.IsMemory(p.parent) }

// dropCaches is for root alone, and of the whole machine: Linux knows no other.
func (p *place) dropCaches(what string) error {
	if !p.hasCache() {
		return nil
	}
	return machine.DropCaches(what)
}

func (p *place) open(ctx context.Context) error {
	var err error
	if p.work, err = os.MkdirTemp(p.parent, "ketter-bench."); err != nil {
		return err
	}
	p.dir = filepath.Join(p.work, "real")
	if err := os.Mkdir(p.dir, 0o755); err != nil || !p.latency {
		return err
	}
	names := []string{"to"}
	if p.both {
		names = append(names, "from")
	}
	for _, name := range names {
		m, err := newMount(ctx, p.latencyfs, p.delay, p.dir, filepath.Join(p.work, name))
		if err != nil {
			return err
		}
		p.mounts = append(p.mounts, m)
	}
	return nil
}

// fromPath and toPath are what a way is told of a path below dir.
func (p *place) fromPath(path string) string { return p.seen(path, 1) }
func (p *place) toPath(path string) string   { return p.seen(path, 0) }

func (p *place) seen(path string, mount int) string {
	if mount >= len(p.mounts) {
		return path
	}
	return p.mounts[mount].point + strings.TrimPrefix(path, p.dir)
}

// close unmounts, and removes what was made when nothing is mounted below it any more.
func (p *place) close() error {
	var errs []error
	for _, m := range p.mounts {
		errs = append(errs, m.close())
	}
	if err := errors.Join(errs...); err != nil || p.work == "" {
		return err
	}
	return os.RemoveAll(p.work)
}

// mount is a running latencyfs.
type mount struct {
	point string
	cmd   *exec.Cmd
}

func newMount(ctx context.Context, latencyfs string, delay time.Duration, dir, point string) (*mount, error) {
	if err := os.Mkdir(point, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.Command(latencyfs, "--delay", delay.String(), dir, point)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends the ways first
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &mount{point, cmd}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "mounted\n" {
		return nil, errors.Join(errors.New("latencyfs did not mount"), m.close())
	}
	return m, nil
}

func (m *mount) close() error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return m.cmd.Wait()
}
