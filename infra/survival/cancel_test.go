package survival

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// soon is a generous bound for what takes less than a second.
const soon = 10 * time.Second

func TestACancelOfAWaitingJobEndsItAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plantTree("take", 5, 0, 0)
	want := b.contentOf(filepath.Join(b.from, "take"))
	b.serve()
	o := b.order("take", transfer.Move, transfer.Direct)
	id := b.submit(o)
	for range 2 { // once more is no error
		job, err := b.cancel(id)
		if err != nil || job.Status != transfer.Cancelled {
			t.Fatalf("the job is %s, %v", job.Status, err)
		}
	}
	b.worker("w1")
	b.settled(time.Minute)
	b.same("the source", want, b.contentOf(o.Source))
	b.same("the destination", nil, b.contentOf(o.final()))

	if _, err := b.retry(id); err != nil {
		t.Fatal(err)
	}
	b.await(id, transfer.Success, time.Minute)
	b.arrived(o, want)
}

func TestACancelOfARunningJobEndsItSoonAndLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.serve()
	b.worker("w1")
	b.worker("w2")
	for n, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
		name := []string{"direct", "packed"}[n]
		b.plantTree(name, smallFiles, 5*largeFiles, largeSize)
		o := b.order(name, both[n], strategy)
		o.Destination = filepath.Join(b.to, "new", name)
		want := b.contentOf(o.Source)
		id := b.submit(o)
		if !b.catches(id, func() bool { return b.bytesStaged(o) > treeSize }) {
			t.Fatal("the job was done before anything could be done")
		}
		asked := time.Now()
		if _, err := b.cancel(id); err != nil {
			t.Fatal(err)
		}
		if _, err := b.cancel(id); err != nil {
			t.Errorf("cancelled again: %v", err)
		}
		b.await(id, transfer.Cancelled, soon)
		t.Logf("%v: cancelled after %v", o, time.Since(asked))
		b.settled(time.Minute)
		t.Logf("%v: swept after %v", o, time.Since(asked))
		b.same("the source", want, b.contentOf(o.Source))
		if _, err := os.Lstat(filepath.Join(b.to, "new")); !os.IsNotExist(err) {
			t.Errorf("the destination is not as it was: %v", err)
		}
		if n := b.happened(id, transfer.EventCancelled); n != 1 {
			t.Errorf("%d times cancelled:\n%s", n, b.told(id))
		}
	}
}

// From the publish on a cancel comes too late: it is refused, and the job goes on to its end.
func TestACancelAfterThePublishIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plantTree("take", 10*smallFiles, 0, 0)
	o := b.order("take", transfer.Move, transfer.Direct)
	want := b.contentOf(o.Source)
	b.serve()
	w := b.worker("w1")
	id := b.submit(o)
	if !b.catches(id, func() bool { _, err := os.Lstat(o.final()); return err == nil }) {
		t.Fatal("the job was done before anything could be done")
	}
	w.freeze() // so that it is not done when it is cancelled; it may be within a transaction, for which this waits
	thaw := time.AfterFunc(b.lease/3, w.thaw)
	defer thaw.Stop()
	_, err := b.cancel(id)
	if failure.CodeOf(err) != failure.JobState || failure.JobState.HTTPStatus() != 409 {
		t.Errorf("a cancel after the publish: %v", err)
	}
	b.await(id, transfer.Success, time.Minute)
	if _, err := b.cancel(id); failure.CodeOf(err) != failure.JobState {
		t.Errorf("a cancel after the end: %v", err)
	}
	b.arrived(o, want)
	b.settled(time.Minute)
}
