package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// The torture kills and stops runs of the engine, each in a process of its own, at random moments. It is short unless
// KETTER_TORTURE_KILLS and KETTER_TORTURE_STOPS say how many jobs are to be killed and stopped; only then some are killed
// from outside, at no moment that could be had again. KETTER_TORTURE_SEED chooses the moments.
const (
	fewKills = 12
	fewStops = 4
)

// tortured are the strategies that jobs ask for.
var tortured = strategies

// TestTortureByKills kills runs of a job, up to four in a row, and then lets one come to its end. Source or destination is
// complete at every moment, nothing has the final name before it is, and in the end the tree is the same and nothing else
// is left. It isn't parallel: what a test holds locked, a process that was just forked holds too.
func TestTortureByKills(t *testing.T) {
	newTorture(t, "KETTER_TORTURE_KILLS", fewKills).rounds(func(j *job) bool {
		killed := false
		for range 1 + j.rng.IntN(4) {
			r := j.begin(j.moment(syscall.SIGKILL))
			r.wait()
			if !r.killed {
				r.succeeded()
				break
			}
			killed = true
			j.complete()
		}
		j.begin(moment{}).wait().succeeded()
		j.ended()
		return killed
	})
}

// TestTortureByStops stops a run, lets another one of the job do all, and then the first go on: it finds that it is not
// the one any more, and harms nothing.
func TestTortureByStops(t *testing.T) {
	newTorture(t, "KETTER_TORTURE_STOPS", fewStops).rounds(func(j *job) bool {
		first := j.begin(j.moment(syscall.SIGSTOP))
		if !first.stops() {
			first.succeeded()
			return false
		}
		j.complete()
		_, published := os.Lstat(j.final())
		_, committed := os.Lstat(filepath.Join(j.base.State, "committed"))
		late := true // the first goes on when all is done
		switch j.rng.IntN(3) {
		case 0:
			j.begin(j.moment(syscall.SIGKILL)).wait()
			j.complete()
		case 1:
			late = false
			other := j.begin(j.moment(syscall.SIGSTOP))
			if other.stops() {
				first.goOn()
				first.wait()
				j.complete()
				other.goOn()
			}
			if other.wait(); other.status != triedAgain { // what it had made may have been taken from it
				other.succeeded()
			}
		}
		j.begin(moment{}).wait().succeeded()
		j.arrived()
		first.goOn()
		first.wait()
		if first.status == 0 && committed != nil || late && published != nil && first.ran {
			j.Errorf("the first run says that it did it, too: %s", first.log())
		}
		j.arrived()
		j.begin(moment{}).wait().succeeded() // of what the first held, only it or nobody could clean up
		j.ended()
		return true
	})
}

// torture is many jobs.
type torture struct {
	*testing.T
	seed  uint64
	count int
	full  bool
	seen  map[string]map[string]int64 // how often runs of a kind did each operation
	took  map[string]time.Duration    // how long they took

	kills, outside, resumed int64
}

func newTorture(t *testing.T, variable string, few int) *torture {
	t.Helper()
	to := &torture{T: t, seed: rand.Uint64(), count: few, seen: map[string]map[string]int64{}, took: map[string]time.Duration{}}
	if asked := os.Getenv(variable); asked != "" {
		to.count, to.full = number(t, asked), true
	}
	if asked := os.Getenv("KETTER_TORTURE_SEED"); asked != "" {
		to.seed = uint64(number(t, asked))
	}
	to.seed %= 1 << 62
	t.Logf("KETTER_TORTURE_SEED=%d", to.seed)
	return to
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// rounds does one job after the other until enough of them report that they were struck.
func (t *torture) rounds(one func(j *job) (struck bool)) {
	struck, failed := 0, 0
	for n := 0; struck < t.count && n < 3*t.count && failed < 5; n++ {
		passed := t.Run(fmt.Sprintf("job %d", n), func(sub *testing.T) {
			j := t.job(sub, n)
			j.measure()
			if one(j) {
				struck++
			}
		})
		if !passed {
			failed++
		}
	}
	t.Logf("%d jobs struck, %d runs killed or stopped, %d of them from outside, %d MiB resumed, %d jobs failed", struck, t.kills,
		t.outside, t.resumed>>20, failed)
	if struck < t.count {
		t.Errorf("only %d of %d jobs were struck", struck, t.count)
	}
}

// job is one job under torture.
type job struct {
	*bench
	torture *torture
	rng     *rand.Rand
	base    childRun
	kind    string
	want    image
	token   int
	told    []string
}

func (t *torture) job(sub *testing.T, n int) *job {
	sub.Helper()
	j := &job{torture: t, rng: rand.New(rand.NewPCG(t.seed, uint64(n)))}
	destination := sub.TempDir()
	if !t.full { // where nothing waits for a disk
		destination, _ = otherFileSystem(sub, destination)
	}
	sub.Cleanup(func() { makeRemovable(destination) })
	root, across := otherFileSystem(sub, destination)
	if j.rng.IntN(4) == 0 {
		root, across = filepath.Join(destination, "source"), false
	}
	j.bench = &bench{T: sub, root: root, from: filepath.Join(root, "from"), to: filepath.Join(destination, "to")}
	for _, dir := range []string{j.from, j.to, filepath.Join(destination, "state"), filepath.Join(destination, "tmp")} {
		j.must(os.MkdirAll(dir, 0o755))
	}
	j.choose(destination, across)
	sub.Cleanup(func() {
		if sub.Failed() {
			sub.Logf("%s\n%s", j.kind, strings.Join(j.told, "\n"))
		}
	})
	j.plant()
	return j
}

// choose decides what is to be transferred, and how.
func (j *job) choose(destination string, across bool) {
	one := func(of int) bool { return j.rng.IntN(of) == 0 }
	name := "folder"
	if one(8) {
		name = "file"
	}
	j.base = childRun{Source: filepath.Join(j.from, name), Destination: j.to, Roots: []string{j.root, destination},
		Mode: modes[j.rng.IntN(len(modes))], Strategy: tortured[j.rng.IntN(len(tortured))], Verify: transfer.Checksum,
		State: filepath.Join(destination, "state"), Parallel: 1 + j.rng.IntN(6), Across: !across && !one(2), NoRange: one(3),
		SyncEach: one(4), BySteps: one(6)}
	if one(4) {
		j.base.Verify = []transfer.Verify{transfer.Size, transfer.None}[j.rng.IntN(2)]
	}
	if one(3) {
		j.base.TmpDir = filepath.Join(destination, "tmp")
	}
	if one(4) {
		j.base.Destination = filepath.Join(j.to, "new/folders")
	}
	if !across && one(3) { // a rename
		j.base.Mode, j.base.Strategy, j.base.Across = transfer.Move, transfer.Auto, false
	}
	b := j.base
	j.kind = fmt.Sprintf("%s %s %s of a %s, across %v, in the storage %v, sync each %v, by steps %v, folder for archives %v", b.Mode,
		b.Strategy, b.Verify, name, across || b.Across, !b.NoRange, b.SyncEach, b.BySteps, b.TmpDir != "")
}

// plant makes the source.
func (j *job) plant() {
	j.Helper()
	if filepath.Base(j.base.Source) == "file" {
		j.write("from/file", strings.Repeat(fmt.Sprintf("%16d", j.rng.Uint32()), 1<<20-j.rng.IntN(100)))
		j.age(j.base.Source)
	} else {
		j.grow("folder", j.rng)
	}
	j.want = j.image(j.base.Source)
}

func (j *job) final() string { return filepath.Join(j.base.Destination, filepath.Base(j.base.Source)) }

// measure lets the first job of its kind run undisturbed, so that there are moments to choose from.
func (j *job) measure() {
	j.Helper()
	if j.torture.seen[j.kind] != nil {
		return
	}
	began := time.Now()
	j.begin(moment{}).wait().succeeded()
	j.torture.took[j.kind] = time.Since(began)
	j.ended()
	makeRemovable(j.final())
	j.must(os.RemoveAll(j.final()))
	if j.base.Mode == transfer.Move {
		j.plant()
	}
	for _, name := range []string{"committed", "intent"} {
		j.must(os.Remove(filepath.Join(j.base.State, name)))
	}
}

// moment chooses when to strike: each kind of operation is as likely as any other, however often it is done.
func (j *job) moment(signal syscall.Signal) moment {
	seen := j.torture.seen[j.kind]
	ops := slices.Sorted(maps.Keys(seen))
	op := ops[j.rng.IntN(len(ops))]
	if j.rng.IntN(3) == 0 {
		op = anyOp
	}
	if signal == syscall.SIGSTOP && seen[largeWrite] > 0 && j.rng.IntN(2) == 0 {
		op = largeWrite // what a frozen run may do most harm by
	}
	return moment{Signal: signal, Op: op, N: 1 + j.rng.Int64N(seen[op])}
}

// same fails when a tree isn't what it was.
func (j *job) same(path string, top bool) {
	j.Helper()
	got := j.image(path)
	j.bench.same(got.below, j.want.below)
	if top {
		j.bench.same(got.top, j.want.top)
	}
}

// complete is what holds at every moment: what has the final name is complete, and if nothing has, the source is. The
// source of a copy always is.
func (j *job) complete() {
	j.Helper()
	_, err := os.Lstat(j.final())
	there := err == nil && !j.taken()
	if there {
		j.same(j.final(), false)
	}
	if !there || j.base.Mode == transfer.Copy {
		j.same(j.base.Source, true)
	}
}

// taken reports whether the final name is only taken by an empty folder, where no single step can publish.
func (j *job) taken() bool {
	entries, err := os.ReadDir(j.final())
	return j.base.BySteps && err == nil && len(entries) == 0
}

// arrived is what holds once a run has ended in success.
func (j *job) arrived() {
	j.Helper()
	j.same(j.final(), true)
	if j.base.Mode == transfer.Copy {
		j.same(j.base.Source, true)
	} else {
		j.gone(j.base.Source)
	}
}

// ended is what holds when nobody works at the job any more: nothing else is left.
func (j *job) ended() {
	j.Helper()
	j.arrived()
	j.ownNames(j.final())
	name := filepath.Base(j.base.Source)
	j.holds(j.base.Destination, name)
	j.holds(filepath.Join(filepath.Dir(j.base.State), "tmp"))
	if j.base.Mode == transfer.Copy {
		j.holds(j.from, name)
	} else {
		j.holds(j.from)
	}
}
