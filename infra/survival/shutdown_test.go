package survival

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

func TestSIGTERMGivesTheJobBackWithoutSpendingAnAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.softStop = 50 * time.Millisecond
	size := either[int64](256<<20, 2<<30)
	b.plantFile("clip", size)
	want := b.contentOf(filepath.Join(b.from, "clip"))
	b.serve()
	first := b.worker("w1")
	o := b.order("clip", transfer.Copy, transfer.Direct)
	id := b.submit(o)
	if !b.staged(o, size*3/8) {
		t.Fatal("the file was copied before anything could be done")
	}
	first.signal(syscall.SIGTERM)
	first.ends(time.Minute)
	if state := first.cmd.ProcessState; !state.Success() {
		t.Errorf("the worker ended with %v", state)
	}
	if job := b.job(id); job.Status != transfer.Pending || job.Attempts != 0 {
		t.Fatalf("the job is %s after %d attempts:\n%s", job.Status, job.Attempts, b.told(id))
	}
	if n := ask[int](b, "SELECT count(*) FROM job_runs"); n != 0 {
		t.Errorf("%d runs still hold the job", n)
	}

	second := b.worker("w2")
	if job := b.await(id, transfer.Success, time.Minute); job.Attempts != 1 {
		t.Errorf("%d attempts", job.Attempts)
	}
	b.resumed(id, second, size)
	b.arrived(o, want)
	b.settled(time.Minute)
}

func TestASecondSIGTERMEndsTheWorkerAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.softStop = 10 * time.Minute
	b.plantTree("take", 5, 0, 0)
	want := b.contentOf(filepath.Join(b.from, "take"))
	b.serve()
	first := b.worker("w1")
	hold := testdb.HoldAt(t, b.url, string(transfer.EventVerified))
	o := b.order("take", transfer.Move, transfer.Direct)
	id := b.submit(o)
	hold.Reached()
	first.signal(syscall.SIGTERM)
	b.eventually("the worker says that it stops", time.Minute, func() bool {
		return slices.ContainsFunc(b.journal.all(), func(e entry) bool { return len(e.Message) > 8 && e.Message[:8] == "stopping" })
	})
	if !first.alive() {
		t.Fatal("the first signal ended the worker")
	}
	first.signal(syscall.SIGTERM)
	first.ends(time.Minute)
	hold.Release()
	b.worker("w2")
	b.await(id, transfer.Success, time.Minute)
	b.arrived(o, want)
	b.settled(time.Minute)
}
