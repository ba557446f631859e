package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// childEnv makes the test binary a child process that does the run which it holds as JSON.
const childEnv = "KETTER_TORTURE_CHILD"

// childRun is one run of a job in a process of its own, as a worker does it.
type childRun struct {
	Source, Destination string
	Mode                transfer.Mode
	Strategy            transfer.Strategy
	Verify              transfer.Verify
	Token               string

	Roots    []string
	TmpDir   string // of archives, "" for none
	State    string // a folder that stands for the database
	Parallel int

	Across   bool   // renames between source and destination fail as between two file systems
	NoRange  bool   // the storage copies nothing by itself
	SyncEach bool   // the destination can't be synced as a whole
	BySteps  bool   // the destination can't rename without replacing
	Epoch    string // since when what was written is there, "" for the machine's own
	Sweeps   bool   // a run that fails is not resumed: it sweeps
	Zombie   bool   // only the publish and the commit are fenced, so that a run that lost its token goes as far as it can

	At moment
}

// moment is when a run sends itself a signal: before the operation called Op is begun for the Nth time.
type moment struct {
	Signal syscall.Signal // 0 for never
	Op     string
	N      int64
}

func (m moment) String() string {
	if m.Signal == 0 {
		return "not stopped"
	}
	return fmt.Sprintf("%v at %q %d", m.Signal, m.Op, m.N)
}

// triedAgain is the status of a run after which the worker starts another one by itself.
const triedAgain = 3

// childMain does what is asked for and tells of it on standard output, in lines of a word and a value.
func childMain(asked string) int {
	var c childRun
	if err := json.Unmarshal([]byte(asked), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	o := &operations{at: c.At, seen: map[string]int64{}}
	err := c.do(context.Background(), o)
	o.tell()
	if err != nil {
		fmt.Fprintln(os.Stderr, failure.CodeOf(err), err)
		if failure.CodeOf(err).Class() == failure.Transient {
			return triedAgain
		}
		return 1
	}
	return 0
}

// do runs the job, commits and cleans up. Of a job that is committed only the cleaning up is left.
func (c childRun) do(ctx context.Context, o *operations) error {
	e, err := New(Options{AllowedRoots: c.Roots, TmpDir: c.TmpDir, Parallel: c.Parallel})
	if err != nil {
		return err
	}
	e.partEvery, e.noteEvery = 1<<20, 5*time.Millisecond
	e.decorate = c.decorators(o)
	r := &recorder{childRun: c, operations: o}
	spec := transfer.Spec{Source: c.Source, Destination: c.Destination, Mode: c.Mode, Strategy: c.Strategy, Verify: c.Verify,
		Run:     transfer.Run{Installation: "torture-1", Job: 7, Token: c.Token},
		Resumes: func(error) bool { return !c.Sweeps }}
	if _, err := os.Lstat(r.path("committed")); errors.Is(err, fs.ErrNotExist) {
		if spec.Intent, err = r.intent(); err != nil {
			return err
		}
		if err := r.run(ctx, e, spec); err != nil {
			return err
		}
	}
	o.count("cleaning up")
	return e.CleanUp(ctx, spec)
}

// largeWrite is a write to a file that may be continued within.
const largeWrite = "destination write to a large file"

func (c childRun) decorators(o *operations) decorators {
	from := &endpointtest.Hooks{Before: func(op endpointtest.Op, _ string) error {
		o.count("source " + string(op))
		return c.cannot(op, c.Across)
	}}
	to := &endpointtest.Hooks{Before: func(op endpointtest.Op, path string) error {
		if base := filepath.Base(path); op == endpointtest.Write && (base == "file" || filepath.Base(filepath.Dir(path)) == "roll") {
			o.count(largeWrite)
		} else {
			o.count("destination " + string(op))
		}
		return c.cannot(op, false)
	}}
	to.Capabilities = func(holds endpoint.Capabilities) endpoint.Capabilities {
		holds.SyncWhole = holds.SyncWhole && !c.SyncEach
		if c.Epoch != "" {
			holds.Epoch = c.Epoch
		}
		return holds
	}
	return decorators{
		source: func(d endpoint.Dir) endpoint.Dir { return endpointtest.Wrap(d, from) },
		destination: func(d endpoint.Dir) endpoint.Dir {
			if d = endpointtest.Wrap(d, to); c.BySteps {
				d = bySteps{d, o}
			}
			return d
		},
	}
}

// bySteps is a folder of a storage that can't rename without replacing: it publishes as package local does there.
type bySteps struct {
	endpoint.Dir
	*operations
}

func (d bySteps) Unwrap() endpoint.Dir { return d.Dir }

func (d bySteps) OpenDir(name string) (endpoint.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return bySteps{dir, d.operations}, nil
}

func (d bySteps) Publish(name string, to endpoint.Dir, newName string) (bool, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return true, err
	}
	if info.Type != endpoint.Folder {
		if err := d.Link(name, to, newName); err != nil {
			return true, err
		}
		d.count("between the steps")
		return true, d.Remove(name)
	}
	if err := to.Mkdir(newName, 0o700); err != nil {
		return true, err
	}
	d.count("between the steps")
	err = syscall.Rename(filepath.Join(d.Path(), name), filepath.Join(to.Path(), newName)) // os.Rename refuses folders
	if err != nil {
		err = errors.Join(err, to.RemoveDir(newName))
	}
	return true, err
}

func (c childRun) cannot(op endpointtest.Op, across bool) error {
	switch {
	case across && op == endpointtest.Rename:
		return syscall.EXDEV
	case c.NoRange && (op == endpointtest.CopyFrom || op == endpointtest.Clone):
		return errors.ErrUnsupported
	}
	return nil
}

// operations counts what a run does, and stops it at its moment.
type operations struct {
	at   moment
	mu   sync.Mutex
	seen map[string]int64
}

func (o *operations) count(op string) {
	o.mu.Lock()
	o.seen[op]++
	o.seen[anyOp]++
	now := o.at.Signal != 0 && o.seen[o.at.Op] == o.at.N && (o.at.Op == op || o.at.Op == anyOp)
	o.mu.Unlock()
	if !now {
		return
	}
	_ = syscall.Kill(os.Getpid(), o.at.Signal)
	if o.at.Signal == syscall.SIGKILL {
		select {}
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // the operation isn't begun before the process goes on
}

// anyOp stands for every operation.
const anyOp = "any"

func (o *operations) tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen, _ := json.Marshal(o.seen)
	fmt.Printf("operations %s\n", seen)
}

// recorder is the worker's part: an Observer that records in files what a worker does in the database.
type recorder struct {
	childRun
	*operations
}

func (r *recorder) path(name string) string { return filepath.Join(r.State, name) }

// run plans, runs and commits, as the worker does.
func (r *recorder) run(ctx context.Context, e *Engine, spec transfer.Spec) error {
	plan, err := e.Plan(ctx, spec)
	if err != nil {
		return err
	}
	run := e.RunTransfer
	if plan.Strategy == transfer.ZipFirst {
		run = e.RunTransferZipFirst
	}
	result, err := run(ctx, plan, r)
	if err != nil {
		return err
	}
	fmt.Println("ran", result.Method)
	r.count("commit")
	if err := r.fence(); err != nil {
		return err
	}
	return r.asPlanned(plan, result)
}

// asPlanned commits what was done, which is what was planned.
func (r *recorder) asPlanned(plan planner.Plan, result transfer.Result) error {
	if result.Files != plan.Files || result.Bytes != plan.Bytes {
		return fmt.Errorf("%d files of %d bytes were told where %d of %d were planned", result.Files, result.Bytes,
			plan.Files, plan.Bytes)
	}
	return record(r.path("committed"), []byte(result.Method))
}

func (r *recorder) Event(_ context.Context, event transfer.Event) error {
	r.count("event " + string(event.Kind))
	fmt.Println("event", event.Kind)
	if event.Kind == transfer.EventRecovered {
		fmt.Println("recovered", event.Figures["bytes"].(int64)+event.Figures["unfinished_bytes"].(int64))
	}
	if r.Zombie {
		return nil
	}
	return r.fence()
}

func (r *recorder) Progress(p transfer.Progress) {
	fmt.Println("progress", p.Phase, p.FilesDone, p.BytesDone)
}

func (r *recorder) NotPublished(context.Context) error {
	if err := r.fence(); err != nil {
		return err
	}
	if err := os.Remove(r.path("intent")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (r *recorder) BeforeInherit(context.Context) error {
	if r.Zombie {
		return nil
	}
	return r.fence()
}

func (r *recorder) BeforePublish(_ context.Context, intent transfer.Intent) error {
	r.count("intent")
	if err := r.fence(); err != nil {
		return err
	}
	content, err := json.Marshal(intent)
	if err != nil {
		return err
	}
	if err := record(r.path("intent"), content); err != nil {
		return err
	}
	r.count("intent recorded")
	return nil
}

// fence fails a run after which another one has begun.
func (r *recorder) fence() error {
	token, err := os.ReadFile(r.path("token"))
	if err == nil && string(token) != r.Token {
		err = failure.New(failure.LeaseLost, "", "another run has begun")
	}
	return err
}

func (r *recorder) intent() (*transfer.Intent, error) {
	content, err := os.ReadFile(r.path("intent"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	intent := new(transfer.Intent)
	return intent, json.Unmarshal(content, intent)
}

// record writes a file that is there as a whole or not at all, and durable.
func record(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "new")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
