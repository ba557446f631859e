package survival

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

// moment is when a run is frozen. It waits for it, and reports false when the job has ended before.
type moment struct {
	name string
	of   []transfer.Mode
	wait func(b *bench, o order, id int64, rng *rand.Rand) bool
}

var both = []transfer.Mode{transfer.Copy, transfer.Move}

var moments = []moment{
	{"while it is copied", both, func(b *bench, o order, id int64, rng *rand.Rand) bool {
		part := rng.Int64N(treeSize)
		return b.catches(id, func() bool { return b.bytesStaged(o) >= part })
	}},
	{"while it is verified", both, func(b *bench, o order, id int64, _ *rand.Rand) bool {
		return b.catches(id, func() bool { return b.bytesStaged(o) >= treeSize })
	}},
	{"at the publish", both, func(b *bench, _ order, id int64, _ *rand.Rand) bool {
		return b.catches(id, func() bool {
			return ask[bool](b, "SELECT publish_intent IS NOT NULL FROM jobs WHERE id = $1", id)
		})
	}},
	{"when it is published", both, func(b *bench, o order, id int64, _ *rand.Rand) bool {
		return b.catches(id, func() bool { _, err := os.Lstat(o.final()); return err == nil })
	}},
	{"while the source is removed", []transfer.Mode{transfer.Move}, func(b *bench, o order, id int64, rng *rand.Rand) bool {
		left := 1 + rng.IntN(smallFiles-1)
		return b.catches(id, func() bool {
			names, _ := filepath.Glob(filepath.Join(o.Source, "reel *", "*"))
			return len(names) <= left
		})
	}},
}

// catches polls until what is true, and reports false when the job has ended first.
func (b *bench) catches(id int64, is func() bool) bool {
	b.Helper()
	for n, deadline := 1, time.Now().Add(time.Minute); time.Now().Before(deadline); n++ {
		if is() {
			return true
		}
		if n%20 == 0 && b.job(id).Status.Final() {
			return false
		}
		time.Sleep(time.Millisecond / 2)
	}
	b.Fatalf("the moment never came:\n%s", b.told(id))
	return false
}

const (
	smallFiles = 400
	largeFiles = 2
	largeSize  = 20 << 20
	treeSize   = largeFiles * largeSize // and a little more
)

// A worker that was frozen for longer than its lease, wherever that struck, finds when it wakes that the job went on
// elsewhere. From then on it changes no row of it, nor anything that is published or was put where the source was.
func TestAWorkerThatWakesTooLateTouchesNothing(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	b := setup(t)
	b.serve()
	workers := []*process{b.worker("w1"), b.worker("w2")}
	struck := 0
	for n, rounds := 0, either(4, 50); struck < rounds; n++ {
		if n > 4*rounds {
			t.Fatalf("only %d of %d runs could be frozen", struck, rounds)
		}
		// The first ones, which may be all, are of every mode and strategy.
		mode, strategy := both[struck%2], []transfer.Strategy{transfer.Direct, transfer.ZipFirst}[struck/2%2]
		if b.freezeOne(fmt.Sprintf("round %d", n), mode, strategy, workers, rng) {
			struck++
		}
	}
	b.settled(2 * time.Minute)
}

// freezeOne does a job of which the first run is frozen at a random moment. It reports false when that came too late.
func (b *bench) freezeOne(name string, mode transfer.Mode, strategy transfer.Strategy, workers []*process, rng *rand.Rand) bool {
	b.Helper()
	b.plantTree(name, smallFiles, largeFiles, largeSize)
	o := b.order(name, mode, strategy)
	want := b.contentOf(o.Source)
	candidates := slices.DeleteFunc(slices.Clone(moments), func(m moment) bool { return !slices.Contains(m.of, mode) })
	at := candidates[rng.IntN(len(candidates))]

	id := b.submit(o)
	runner := b.runner(id)
	worker := workers[slices.IndexFunc(workers, func(p *process) bool { return p.name == runner })]
	caught := at.wait(b, o, id, rng)
	time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond) // the moments are where something begins
	worker.freeze()
	if !caught || b.job(id).Status.Final() {
		worker.thaw()
		b.await(id, transfer.Success, time.Minute)
		b.clear(o)
		return false
	}
	run := ask[string](b, "SELECT run FROM survival_log WHERE job_id = $1 AND what = 'holds' ORDER BY n LIMIT 1", id)
	b.Logf("%v frozen %s", o, at.name)
	b.await(id, transfer.Success, time.Minute)
	if ask[int](b, "SELECT count(*) FROM survival_log WHERE job_id = $1 AND what = 'holds'", id) == 1 {
		worker.thaw() // it was frozen over its last words: the server had heard them already
		b.saysFinished(id)
		b.clear(o)
		return false
	}
	b.saysFinished(id)
	b.arrived(o, want)
	b.zombieTouchesNothing(o, id, run, rng, worker.thaw)
	b.clear(o)
	return true
}

// saysFinished waits until a run says that it has finished the job, which follows the row's success.
func (b *bench) saysFinished(id int64) {
	b.Helper()
	b.eventually("a run says that it finished", time.Minute, func() bool {
		return slices.ContainsFunc(b.journal.all(), func(e entry) bool { return e.JobID == id && e.Message == "job finished" })
	})
}

// arrived is what holds after a success.
func (b *bench) arrived(o order, want picture) {
	b.Helper()
	b.same(fmt.Sprintf("the result of %v", o), want, b.contentOf(o.final()))
	if o.Mode == transfer.Move {
		want = nil
	}
	b.same(fmt.Sprintf("the source of %v", o), want, b.contentOf(o.Source))
}

// zombieTouchesNothing has a run go on that lost its job, and compares everything before and after.
func (b *bench) zombieTouchesNothing(o order, id int64, run string, rng *rand.Rand, wakes func()) {
	b.Helper()
	if rng.IntN(2) == 0 { // nothing is in the way of another publish
		must(b.T, os.Rename(o.final(), o.final()+" was taken"))
	}
	if o.Mode == transfer.Move { // nor of more removing
		b.plantTree(filepath.Base(o.Source), smallFiles, largeFiles, largeSize)
	}
	rows, source, published := b.rows(id), b.everythingOf(o.Source), b.published()
	wakes()
	var end entry
	b.eventually("the run that lost its job ends", time.Minute, func() bool {
		lines := b.journal.all()
		at := slices.IndexFunc(lines, func(e entry) bool { return e.Run == run && slices.Contains(endings, e.Message) })
		if at >= 0 {
			end = lines[at]
		}
		return at >= 0
	})
	if end.Message == "job finished" || end.Message == "job ended without success" {
		b.Errorf("the run that lost its job says that it has recorded its end: %s", end.text)
	}
	b.same("the source after the other woke", source, b.everythingOf(o.Source))
	b.same("what is published after the other woke", published, b.published())
	if after := b.rows(id); after != rows {
		b.Errorf("the rows were\n%s\nand are\n%s", rows, after)
	}
}

// published is all in the destination but staging folders.
func (b *bench) published() picture {
	b.Helper()
	p := picture{}
	entries, err := os.ReadDir(b.to)
	must(b.T, err)
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".ketter-") {
			for name, what := range b.everythingOf(filepath.Join(b.to, entry.Name())) {
				p[filepath.Join(entry.Name(), name)] = what
			}
		}
	}
	return p
}

// clear makes room.
func (b *bench) clear(o order) {
	b.Helper()
	for _, path := range []string{o.Source, o.final(), o.final() + " was taken"} {
		must(b.T, os.RemoveAll(path))
	}
}

// A transaction that a frozen worker has open holds the job's row: the database must not wait for it.
func TestAWorkerFrozenWithinATransactionHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plantTree("take", 5, 0, 0)
	want := b.contentOf(filepath.Join(b.from, "take"))
	b.serve()
	workers := map[string]*process{"w1": b.worker("w1"), "w2": b.worker("w2")}
	hold := testdb.HoldAt(t, b.url, string(transfer.EventVerified))
	o := b.order("take", transfer.Copy, transfer.Direct)
	id := b.submit(o)
	hold.Reached()
	frozen := workers[b.runner(id)]
	frozen.freeze()
	hold.Release()
	began := time.Now()
	b.await(id, transfer.Success, time.Minute)
	t.Logf("done after %v", time.Since(began))
	b.arrived(o, want)
	frozen.thaw()
	b.settled(time.Minute)
}

// What is frozen can still be ended.
func TestAFrozenWorkerThatIsKilledLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plantTree("take", smallFiles, largeFiles, largeSize)
	want := b.contentOf(filepath.Join(b.from, "take"))
	b.serve()
	frozen := b.worker("w1")
	o := b.order("take", transfer.Move, transfer.Direct)
	id := b.submit(o)
	if !b.catches(id, func() bool { return b.bytesStaged(o) > 0 }) || !frozen.freeze() {
		t.Fatal("the job was done before anything could be done")
	}
	b.worker("w2")
	b.await(id, transfer.Success, time.Minute)
	frozen.signal(syscall.SIGTERM) // which it doesn't notice
	frozen.kill()
	b.arrived(o, want)
	b.settled(time.Minute)
}
