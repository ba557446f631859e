package survival

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// load is a number of jobs that are submitted together, of all kinds.
type load struct {
	b    *bench
	ids  []int64
	asks map[int64]order
	want map[int64]picture
}

// add submits n more jobs, of a tree with one file of a size.
func (l *load) add(n int, size int64) {
	b := l.b
	b.Helper()
	for range n {
		i := len(l.ids)
		name := fmt.Sprintf("job %d", i)
		b.plantTree(name, 40, 1, size)
		o := b.order(name, both[i%2], []transfer.Strategy{transfer.Direct, transfer.Direct, transfer.ZipFirst}[i%3])
		want := b.contentOf(o.Source)
		id := b.submit(o)
		l.ids, l.asks[id], l.want[id] = append(l.ids, id), o, want
	}
}

func (b *bench) load(n int, size int64) *load {
	b.Helper()
	l := &load{b: b, asks: map[int64]order{}, want: map[int64]picture{}}
	l.add(n, size)
	return l
}

// copying waits until a job is in the middle. It reports false when none will be any more.
func (l *load) copying() bool {
	l.b.Helper()
	left := "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')"
	l.b.eventually("a job is copied", time.Minute, func() bool {
		return l.b.bytesStaged(l.asks[l.ids[0]]) > 0 || ask[int](l.b, left) == 0
	})
	return ask[int](l.b, left) > 0
}

// succeeds waits for all and looks at what they have made.
func (l *load) succeeds(within time.Duration) {
	l.b.Helper()
	deadline := time.Now().Add(within)
	for _, id := range l.ids {
		l.b.await(id, transfer.Success, time.Until(deadline))
	}
	l.b.settled(within)
	for _, id := range l.ids {
		l.b.arrived(l.asks[id], l.want[id])
	}
}

func TestJobsOutliveTheirDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how   syscall.Signal
		away  time.Duration
		lease time.Duration
	}{
		"a restart within the lease": {syscall.SIGINT, time.Second, 20 * time.Second},
		"a stop of some seconds":     {syscall.SIGINT, either(5*time.Second, 30*time.Second), 3 * time.Second},
		"a crash":                    {syscall.SIGQUIT, either(5*time.Second, 30*time.Second), 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newPostgres(t)
			b := server.setup(t)
			b.lease = c.lease
			b.serve()
			b.worker("w1")
			b.worker("w2")
			l := b.load(either(4, 12), 48<<20)
			for range either(1, 3) {
				if !l.copying() {
					break
				}
				must(t, server.stop(c.how))
				time.Sleep(c.away)
				must(t, server.start())
			}
			l.succeeds(3 * time.Minute)
			if c.away > c.lease {
				return
			}
			for _, id := range l.ids {
				if n := b.happened(id, transfer.EventStarted); n != 1 {
					t.Errorf("a failover within the lease cost job %d its run:\n%s", id, b.told(id))
				}
			}
		})
	}
}

func TestJobsOutliveCutConnections(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	b := setup(t)
	p := newProxy(t, b.url)
	b.serve()
	b.url = p.to(b.url)
	b.worker("w1")
	b.worker("w2")
	l := b.load(2, 24<<20)
	for range either(15, 100) {
		l.add(1, 24<<20)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond) // any moment will do
		if rng.IntN(4) > 0 {
			p.cut()
			continue
		}
		p.refuse()
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		p.restore()
	}
	l.succeeds(3 * time.Minute)
}

// A worker whose network swallows everything can't know what becomes of its job. It must have stopped when another one
// begins, which the audit proves, and what it had sent must do no harm when it arrives at last.
func TestASplitNetworkHarmsNothing(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		t.Run(fmt.Sprintf("what was sent arrives %v", late), func(t *testing.T) {
			t.Parallel()
			rng := seeded(t)
			b := setup(t)
			p := newProxy(t, b.url)
			b.plantTree("take", smallFiles, 2*largeFiles, largeSize)
			o := b.order("take", transfer.Move, transfer.Direct)
			want := b.contentOf(o.Source)
			b.serve()
			b.worker("w1", "DB_URL="+p.to(b.url))
			id := b.submit(o)
			if !b.catches(id, func() bool { return b.bytesStaged(o) > 0 }) {
				t.Fatal("the job was done before anything could be done")
			}
			p.swallow()
			run := ask[string](b, "SELECT run FROM survival_log WHERE job_id = $1 AND what = 'holds'", id)
			b.worker("w2")
			b.await(id, transfer.Success, time.Minute)
			b.eventually("the other run says that it finished", time.Minute, func() bool {
				return slices.ContainsFunc(b.journal.all(), func(e entry) bool { return e.JobID == id && e.Message == "job finished" })
			})
			b.arrived(o, want)
			b.zombieTouchesNothing(o, id, run, rng, func() {
				if !late {
					p.cut()
				}
				p.restore()
				p.delivered()
			})
			b.settled(2 * time.Minute)
		})
	}
}

func TestJobsOutliveASilentDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := newProxy(t, b.url)
	b.serve()
	b.url = p.to(b.url)
	b.worker("w1")
	b.worker("w2")
	l := b.load(either(4, 12), 48<<20)
	for range either(1, 4) {
		if l.copying() {
			p.swallow()
			time.Sleep(b.lease * 2)
			p.restore()
		}
	}
	l.succeeds(3 * time.Minute)
}
