package survival

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// redis is a server that the test may kill and start again in the same place.
type redis struct {
	*testing.T
	port int
	cmd  *exec.Cmd // nil while it is dead
}

func newRedis(t *testing.T) *redis {
	t.Helper()
	r := &redis{T: t, port: freePort()}
	t.Cleanup(r.kill)
	r.start()
	return r
}

func (r *redis) url() string { return fmt.Sprintf("redis://127.0.0.1:%d/0", r.port) }

func (r *redis) start() {
	r.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		r.Fatal("this test needs redis-server: apt install redis-server, or brew install redis")
	}
	r.cmd = exec.Command(path, "-")
	r.cmd.Stdin = strings.NewReader(fmt.Sprintf("port %d\nbind 127.0.0.1\nsave \"\"\ndir %s\n", r.port, r.TempDir()))
	r.cmd.SysProcAttr = endsWithUs()
	must(r.T, r.cmd.Start())
}

func (r *redis) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(syscall.SIGKILL)
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// Whatever becomes of Redis, a job's rows and events are what they are without it.
func TestRedisIsNeverMissed(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	b := setup(t)
	server := newRedis(t)
	b.redis = server.url()
	b.serve()
	b.worker("w1")
	b.worker("w2")

	var ids []int64
	for n := range either(8, 60) {
		name := fmt.Sprintf("job %d", n)
		b.plantTree(name, 30, 1, 8<<20)
		ids = append(ids, b.submit(b.order(name, []transfer.Mode{transfer.Copy, transfer.Move}[n%2], transfer.Direct)))
		if server.cmd == nil {
			server.start()
		} else if rng.IntN(3) > 0 {
			server.kill()
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond) // for Redis to be up, or down, for a while
	}
	for _, id := range ids {
		job := b.await(id, transfer.Success, time.Minute)
		again := b.happened(id, transfer.EventRecovered) + b.happened(id, transfer.EventRetryScheduled)
		if job.Attempts != 1 || again > 0 || b.happened(id, transfer.EventStarted) != 1 {
			t.Errorf("job %d was not done at once:\n%s", id, b.told(id))
		}
	}
	b.settled(time.Minute)
}
