package soak

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// level is what the processes hold. A number is negative where this system can't tell.
type level struct {
	worker, serve held
	sessions      int // of sshd
	connections   int // that pass the link
	goroutines    int // of the worker, by its own word
}

// held is what one process holds.
type held struct {
	memory         int64 // bytes that are resident
	threads, files int
}

func (h held) String() string {
	return fmt.Sprintf("%d MiB, %d threads, %d files", h.memory>>20, h.threads, h.files)
}

func (l level) String() string {
	return fmt.Sprintf("worker: %v, %d goroutines; API: %v; %d SSH sessions, %d connections", l.worker, l.goroutines, l.serve, l.sessions, l.connections)
}

// look is what they hold now.
func (s *soak) look() level {
	s.Helper()
	return level{worker: holds(s.ketter.Worker.Pid()), serve: holds(s.ketter.Pid()), sessions: s.sshd.Sessions(),
		connections: s.link.Links(), goroutines: s.goroutines()}
}

// pooled is how many connections the two portals of SRVTRF may keep for the next job, and poolsClose by when they have let go
// of them.
const (
	pooled     = 2 * 8
	poolsClose = 90 * time.Second
)

// level is what they hold when they have nothing to do: the least that is seen in a while. In the long form nothing is kept for the
// next job any more.
func (s *soak) level() level {
	s.Helper()
	if s.long {
		for deadline := time.Now().Add(poolsClose); s.link.Links() > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Second)
		}
	}
	least := s.look()
	for range 10 {
		time.Sleep(time.Second)
		now := s.look()
		least.worker, least.serve = least.worker.least(now.worker), least.serve.least(now.serve)
		least.sessions, least.connections = min(least.sessions, now.sessions), min(least.connections, now.connections)
		least.goroutines = min(least.goroutines, now.goroutines)
	}
	return least
}

func (h held) least(o held) held {
	return held{min(h.memory, o.memory), min(h.threads, o.threads), min(h.files, o.files)}
}

// above tells what has grown by more than chance: a leak of one for each fault or job shows soon, and a thread or a page that the
// runtime keeps doesn't count, nor what a connection costs that is kept for the next job. There may be so many of those.
func (l level) above(before level, kept int) (complaints []string) {
	more := int64(min(kept, max(0, l.connections-before.connections)))
	for _, c := range []struct {
		what           string
		now, then, may int64
	}{
		{"bytes of the worker's memory", l.worker.memory, before.worker.memory, before.worker.memory/2 + 96<<20},
		{"threads of the worker", int64(l.worker.threads), int64(before.worker.threads), 8},
		{"open files of the worker", int64(l.worker.files), int64(before.worker.files), 8 + 3*more},
		{"goroutines of the worker", int64(l.goroutines), int64(before.goroutines), 16 + 12*more},
		{"bytes of the API's memory", l.serve.memory, before.serve.memory, before.serve.memory/2 + 96<<20},
		{"open files of the API", int64(l.serve.files), int64(before.serve.files), 8},
		{"SSH sessions", int64(l.sessions), int64(before.sessions), 2 + int64(kept)},
		{"connections", int64(l.connections), int64(before.connections), 2 + int64(kept)},
	} {
		if c.now > c.then+c.may {
			complaints = append(complaints, fmt.Sprintf("%d %s, and they were %d", c.now, c.what, c.then))
		}
	}
	return complaints
}

// goroutines is the last number that the worker's log tells; -1 while it tells none.
func (s *soak) goroutines() int {
	s.Helper()
	log, err := os.Open(s.ketter.WorkerLog())
	must(s.T, err)
	defer log.Close()
	info, err := log.Stat()
	must(s.T, err)
	end := make([]byte, min(info.Size(), 256<<10))
	n, err := log.ReadAt(end, info.Size()-int64(len(end)))
	must(s.T, err)
	told := toldGoroutines.FindAllSubmatch(end[:n], -1)
	if len(told) == 0 {
		return -1
	}
	goroutines, err := strconv.Atoi(string(told[len(told)-1][1]))
	must(s.T, err)
	return goroutines
}

var toldGoroutines = regexp.MustCompile(`"goroutines":(\d+)`)

func TestWhatHasGrownIsTold(t *testing.T) {
	t.Parallel()
	before := level{worker: held{40 << 20, 10, 20}, serve: held{40 << 20, 10, 20}, sessions: 3, connections: 3, goroutines: 40}
	if told := before.above(before, 0); len(told) != 0 {
		t.Errorf("nothing has, and it says %q", told)
	}
	after := level{worker: held{300 << 20, 30, 40}, serve: held{300 << 20, 30, 40}, sessions: 10, connections: 10, goroutines: 100}
	if told := after.above(before, 0); len(told) != 8 {
		t.Errorf("all has, and it says %q", told)
	}
}

func TestTreesThatDifferAreTold(t *testing.T) {
	t.Parallel()
	when := time.Unix(1_700_000_000, 5)
	a := tree{".": {"folder", 0o755, when}, "a": {"3 bytes 1", 0o644, when}, "b": {"3 bytes 1", 0o644, when}}
	for name, other := range map[string]entry{
		"content": {"3 bytes 2", 0o644, when}, "mode": {"3 bytes 1", 0o600, when}, "time": {"3 bytes 1", 0o644, when.Add(1)}, "absence": {},
	} {
		b := tree{".": a["."], "a": other, "b": a["b"]}
		if told := a.differences(b, time.Nanosecond); len(told) != 1 {
			t.Errorf("%s: it says %q", name, told)
		}
	}
	b := tree{".": a["."], "a": {"3 bytes 1", 0o644, when.Truncate(time.Second)}, "b": a["b"]}
	if told := slices.Concat(a.differences(a, time.Nanosecond), a.differences(b, time.Second)); len(told) != 0 {
		t.Errorf("they are the same, and it says %q", told)
	}
}
