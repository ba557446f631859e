package riverjobs_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/broker"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

func TestSubmitRecordsEverythingOrNothing(t *testing.T) {
	b := setup(t)
	spec := b.spec("a", transfer.Copy, transfer.Auto)
	mend := b.breaks("river_job", "INSERT", "true")
	if _, _, err := b.client.Submit(t.Context(), submission(spec)); err == nil {
		t.Fatal("submitted without a River job")
	}
	mend()
	exec(t, b.store, "DROP TRIGGER break ON river_job; DROP FUNCTION break")
	mend = b.breaks("job_events", "INSERT", "true")
	if _, _, err := b.client.Submit(t.Context(), submission(spec)); err == nil {
		t.Fatal("submitted without an event")
	}
	mend()
	for _, table := range []string{"jobs", "job_events", "river_job"} {
		if n := scan[int](t, b.store, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if told := b.events.(*publisher).told; len(told) != 0 {
		t.Errorf("told of %v", told)
	}

	job := b.submit(spec)
	if job.Status != transfer.Pending || job.SourcePath != spec.Source || job.RiverJobID == nil {
		t.Errorf("the job is %+v", job)
	}
	if r := b.river(job); r != (riverJob{State: "available"}) {
		t.Errorf("River's job is %+v", r)
	}
	if args := scan[string](t, b.store, "SELECT args::text FROM river_job"); args != fmt.Sprintf(`{"job_id": %d}`, job.ID) {
		t.Errorf("River's args are %s", args)
	}
	_, events := b.await(job.ID, transfer.Pending)
	if !slices.Equal(kinds(events), []transfer.EventKind{transfer.EventCreated}) {
		t.Errorf("events %v", kinds(events))
	}
	if !b.events.(*publisher).has(fmt.Sprintf("%d/1 created", job.ID)) {
		t.Error("nobody was told")
	}
}

func TestAWorkerTransfers(t *testing.T) {
	const few, many = zipAbove, zipAbove + 3
	for name, c := range map[string]struct {
		files    int
		mode     transfer.Mode
		asked    transfer.Strategy
		strategy transfer.Strategy
		method   transfer.Method
		steps    []transfer.EventKind // that must be among the events, in this order
	}{
		"copy few":     {few, transfer.Copy, transfer.Auto, transfer.Direct, transfer.Copied, nil},
		"copy many":    {many, transfer.Copy, transfer.Auto, transfer.ZipFirst, transfer.Archive, archived},
		"rename":       {few, transfer.Move, transfer.Auto, transfer.Direct, transfer.Rename, nil},
		"move few":     {few, transfer.Move, transfer.Direct, transfer.Direct, transfer.Copied, removed},
		"move many":    {many, transfer.Move, transfer.ZipFirst, transfer.ZipFirst, transfer.Archive, append(slices.Clone(archived), removed...)},
		"as was asked": {many, transfer.Copy, transfer.Direct, transfer.Direct, transfer.Copied, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.tree("take", c.files)
			b.start("w1")
			submitted := b.submit(b.spec("take", c.mode, c.asked))
			job, events := b.await(submitted.ID, transfer.Success)
			if job.Strategy == nil || *job.Strategy != c.strategy || job.Method == nil || *job.Method != c.method {
				t.Errorf("strategy %v, method %v", job.Strategy, job.Method)
			}
			if job.FilesCopied != int64(c.files) || job.BytesCopied != int64(100*c.files) || job.Attempts != 1 {
				t.Errorf("%d files, %d bytes, %d attempts", job.FilesCopied, job.BytesCopied, job.Attempts)
			}
			if r := b.river(job); r.State != "completed" { // in the same transaction
				t.Errorf("River's job is %+v", r)
			}
			b.wantEvents(job.ID, kinds(events), c.steps)
			b.wantTree("take", c.files)
			if c.mode == transfer.Move {
				b.wantGone(filepath.Join(b.from, "take"))
			}
			b.wantSwept()
			if n := scan[int](t, b.store, "SELECT count(*) FROM job_runs"); n != 0 {
				t.Error("the run is not ended")
			}
		})
	}
}

var (
	archived = []transfer.EventKind{transfer.EventArchiveCreated, transfer.EventArchiveExtracted}
	removed  = []transfer.EventKind{transfer.EventSourceRemoved}
)

// wantEvents wants the events to begin and end as they must, with steps between, and every one told of.
func (b *bench) wantEvents(id int64, got, steps []transfer.EventKind) {
	b.Helper()
	begin := []transfer.EventKind{transfer.EventCreated, transfer.EventStarted, transfer.EventStrategyDecision}
	if len(got) < 5 || !slices.Equal(got[:3], begin) || got[len(got)-1] != transfer.EventFinished {
		b.Fatalf("events %v", got)
	}
	if !slices.Contains(got, transfer.EventPublished) {
		b.Errorf("no publish in %v", got)
	}
	rest := got[3:]
	for _, step := range steps {
		at := slices.Index(rest, step)
		if at < 0 {
			b.Fatalf("no %s, or out of order, in %v", step, got)
		}
		rest = rest[at+1:]
	}
	eventually(b.T, "the listeners are told of all", func() bool {
		for i, kind := range got {
			if !b.events.(*publisher).has(fmt.Sprintf("%d/%d %s", id, i+1, kind)) {
				return false
			}
		}
		return true
	})
}

func TestAPermanentFailureEndsTheJobAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		code    failure.Code
		prepare func(b *bench) (wantPath string)
	}{
		"the destination exists": {failure.DestinationExists, func(b *bench) string {
			b.tree("take", 2)
			there := filepath.Join(b.to, "take")
			must(b.T, os.WriteFile(there, []byte("mine"), 0o644))
			return there
		}},
		"no source": {failure.SourceNotFound, func(b *bench) string { return filepath.Join(b.from, "take") }},
		"a FIFO whose name is not UTF-8": {failure.UnsupportedFileType, func(b *bench) string {
			b.tree("take", 2)
			fifo := filepath.Join(b.from, "take", "a\xff\xfeü")
			must(b.T, syscall.Mkfifo(fifo, 0o644))
			return strings.ReplaceAll(fifo, "\xff\xfe", `\xff\xfe`)
		}},
		"outside": {failure.PathNotAllowed, func(b *bench) string {
			must(b.T, os.Symlink(b.TempDir(), filepath.Join(b.from, "link")))
			b.to = filepath.Join(b.from, "link")
			return b.to
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			path := c.prepare(b)
			spec := b.spec("take", transfer.Copy, transfer.Auto)
			if name == "no source" {
				spec.Destination = filepath.Join(b.to, "new", "deep")
			}
			b.start("w1")
			job, events := b.await(b.submit(spec).ID, transfer.Failed)
			if job.ErrorCode == nil || *job.ErrorCode != c.code || text(job.ErrorPath) != path ||
				text(job.ErrorHint) != c.code.Hint() || text(job.ErrorMessage) == "" || job.Attempts != 1 {
				t.Errorf("code %v, path %q, hint %q, message %q, attempts %d", job.ErrorCode, text(job.ErrorPath),
					text(job.ErrorHint), text(job.ErrorMessage), job.Attempts)
			}
			last := events[len(events)-1]
			if last.Kind != transfer.EventError || !strings.Contains(string(last.Payload), string(c.code)) {
				t.Errorf("the last event is %s %s", last.Kind, last.Payload)
			}
			if r := b.awaitRiver(job, "cancelled"); r.Attempt != 1 {
				t.Errorf("River's job is %+v", r)
			}
			b.wantGone(filepath.Join(b.to, "new"))
			b.wantSwept()
			if name == "the destination exists" {
				if mine, err := os.ReadFile(path); err != nil || string(mine) != "mine" {
					t.Errorf("what was there is %q, %v", mine, err)
				}
			}
		})
	}
}

// A Redis that accepts connections and says nothing holds up no job.
func TestASilentRedisHoldsUpNoJob(t *testing.T) {
	b := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var conns []net.Conn
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	redis, err := broker.Open("redis://"+listener.Addr().String(), zerolog.Nop())
	must(t, err)
	t.Cleanup(func() { must(t, redis.Close()) })
	b.events = redis
	b.client, err = riverjobs.NewClient(b.store, redis, zerolog.Nop())
	must(t, err)
	b.tree("take", 2)
	b.start("w1")
	for range 5 {
		job, _ := b.await(b.submit(b.spec("take", transfer.Copy, transfer.Auto)).ID, transfer.Success)
		if job.Attempts != 1 {
			t.Errorf("%d attempts", job.Attempts)
		}
		must(t, os.RemoveAll(filepath.Join(b.to, "take")))
	}
}
