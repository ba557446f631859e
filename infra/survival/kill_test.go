package survival

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// inTime is how soon a job goes on after its worker has died.
const inTime = 15 * time.Second

func TestAKilledWorkersJobGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for name, successor := range map[string]func(b *bench) *process{
		"with another worker":            nil,
		"with the only one, which comes": func(b *bench) *process { return b.worker("w1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.lease, b.beat = either(3*time.Second, 10*time.Second), either(500*time.Millisecond, 2*time.Second)
			size := either[int64](256<<20, 2<<30)
			b.plantFile("clip", size)
			want := b.contentOf(filepath.Join(b.from, "clip"))
			b.serve()
			first := b.worker("w1")
			o := b.order("clip", transfer.Copy, transfer.Direct)
			id := b.submit(o)
			b.runner(id)
			var other *process
			if successor == nil {
				other = b.start("w2", "worker")
			}
			// Its digest is noted every 64 MiB.
			if !b.staged(o, size*5/8) {
				t.Fatal("the file was copied before anything could be done")
			}
			first.kill()
			killed := time.Now()
			if successor != nil {
				other = successor(b)
			}
			b.eventually("another run has begun", time.Minute, func() bool { return b.happened(id, transfer.EventStarted) == 2 })
			after := time.Since(killed)
			b.await(id, transfer.Success, 2*time.Minute)
			t.Logf("taken over after %v, done after %v", after, time.Since(killed))
			if after > inTime {
				t.Errorf("the job went on after %v", after)
			}
			b.resumed(id, other, size)
			b.same("the copy", want, b.contentOf(o.final()))
			b.same("the source", want, b.contentOf(o.Source))
			b.settled(time.Minute)
		})
	}
}

// resumed proves that the second run of a job of one file went on where the first one was.
func (b *bench) resumed(id int64, by *process, size int64) {
	b.Helper()
	var figures struct {
		Bytes      int64 `json:"bytes"`
		Unfinished int64 `json:"unfinished_bytes"`
	}
	for _, payload := range b.list(b.Context(), "SELECT payload::text FROM job_events WHERE job_id = $1 AND kind = 'recovered'", id) {
		must(b.T, json.Unmarshal([]byte(payload), &figures))
	}
	kept := figures.Bytes + figures.Unfinished
	if kept < size/4 {
		b.Errorf("only %d of %d bytes were taken over:\n%s", kept, size, b.told(id))
	}
	// All is read once to be copied and once to be verified.
	if read, known := bytesRead(by.cmd.Process.Pid); known {
		b.Logf("%d MiB of %d were taken over, and the process has read %d MiB", kept>>20, size>>20, read>>20)
		if read > 2*size-kept/2 {
			b.Errorf("the second run has read %d bytes", read)
		}
	}
}
