package survival

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/bed"
	"github.com/ketter/ketter/infra/testnet"
)

// srvtrf is the portal on the other host.
const srvtrf = "SRVTRF"

// far is a bench with another host, which the workers reach through a network.
type far struct {
	*bench
	sshd *bed.Sshd
	link *testnet.Proxy
	srv  string // the root of the portal
}

// setupFar makes one, and its portal, for an account: one with ketter's agent, or for files alone.
func setupFar(t *testing.T, sftpOnly bool) *far {
	t.Helper()
	f := &far{bench: setup(t), srv: inMemory(t)}
	f.lease, f.beat = 3*time.Second, 500*time.Millisecond
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	f.env = append(f.env, "KETTER_SECRET_KEY="+base64.StdEncoding.EncodeToString(secret))
	var err error
	f.sshd, err = bed.NewSshd(filepath.Join(t.TempDir(), "sshd"))
	must(t, err)
	must(t, f.sshd.Start())
	t.Cleanup(func() { f.sshd.Kill() })
	f.link = testnet.NewProxy(t, f.sshd.Address(), 0)
	program, err := binary()
	must(t, err)
	account := bed.Agent(program, f.srv)
	if sftpOnly {
		account = bed.SFTPOnly
	}
	key, err := f.sshd.Admit(account)
	must(t, err)
	f.serve()
	f.post("/portals", f.sshd.Portal(srvtrf, f.srv, fmt.Sprintf("127.0.0.1:%d", f.link.Port()), key))
	return f
}

// post asks the API for something new, and returns its id.
func (f *far) post(path string, what any) int64 {
	f.Helper()
	body, err := json.Marshal(what)
	must(f.T, err)
	response, err := http.Post(f.api+path, "application/json", bytes.NewReader(body))
	must(f.T, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	must(f.T, err)
	var made struct{ ID int64 }
	if err := json.Unmarshal(said, &made); err != nil || response.StatusCode != http.StatusCreated {
		f.Fatalf("POST %s: %s %s", path, response.Status, said)
	}
	return made.ID
}

// upload posts a job from LAB to SRVTRF.
func (f *far) upload(name string, mode transfer.Mode, strategy transfer.Strategy) int64 {
	f.Helper()
	return f.post("/jobs", bed.Order{Source: filepath.Join(f.from, name), DestinationPortal: srvtrf, Destination: "/in",
		Mode: string(mode), Strategy: string(strategy)})
}

// final is where it arrives.
func (f *far) final(name string) string { return filepath.Join(f.srv, "in", name) }

// sent waits until so many bytes have gone over the link, and fails when the job is done before.
func (f *far) sent(id, n int64) {
	f.Helper()
	f.eventually(fmt.Sprintf("%d bytes are sent", n), time.Minute, func() bool {
		if f.link.Up.Load() >= n {
			return true
		}
		if f.job(id).Status.Final() {
			f.Fatalf("the job was done before anything could be done:\n%s", f.told(id))
		}
		return false
	})
}

// alone waits until nothing serves on the other host, and nothing of Ketter's own lies there.
func (f *far) alone() {
	f.Helper()
	f.eventually("sshd serves nobody", 2*time.Minute, func() bool { return f.sshd.Sessions() == 0 })
	f.swept()
}

func (f *far) swept() {
	f.Helper()
	f.settled(time.Minute)
	f.eventually("nothing is left on SRVTRF", time.Minute, func() bool {
		f.exec("UPDATE job_stagings SET sweep_after = now() WHERE sweep_after > now()")
		return len(f.leftThere()) == 0
	})
}

// leftThere are the names of Ketter's own on the other host.
func (f *far) leftThere() (names []string) {
	f.Helper()
	_ = filepath.WalkDir(f.srv, func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(filepath.Base(p), ".ketter-") && p != f.srv {
			names = append(names, p)
		}
		return nil
	})
	return names
}

// payloads are those of the job's events of a kind.
func (f *far) payloads(id int64, kind transfer.EventKind) []string {
	f.Helper()
	return f.list(f.Context(), "SELECT message || ' ' || payload::text FROM job_events WHERE job_id = $1 AND kind = $2 ORDER BY seq", id, string(kind))
}

// TestAKilledWorkersTransferSendsOnlyWhatWasMissing measures the wire: what the second run sends may exceed what was
// missing by what was sent and not yet proven when the first one died, and what SSH and the protocol add.
func TestAKilledWorkersTransferSendsOnlyWhatWasMissing(t *testing.T) {
	t.Parallel()
	mib := int64(1 << 20)
	for name, c := range map[string]struct {
		sftpOnly bool
		strategy transfer.Strategy
		files    int
		size     int64
		again    int64 // of what was sent before, at most
	}{
		"a large file by agent":          {false, transfer.Direct, 1, either(256, int64(512)) * mib, 72 * mib}, // noted every 64 MiB
		"many files packed, by agent":    {false, transfer.ZipFirst, either(200, 400), mib, 40 * mib},
		"many files one by one, by SFTP": {true, transfer.Direct, either(200, 400), mib, 40 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupFar(t, c.sftpOnly)
			for i := range c.files {
				f.plantFile(fmt.Sprintf("take/%d/clip %d", i%7, i), c.size)
			}
			total := int64(c.files) * c.size
			want := f.contentOf(filepath.Join(f.from, "take"))
			first := f.worker("w1")
			id := f.upload("take", transfer.Copy, c.strategy)
			f.sent(id, total*5/8)
			first.kill()
			f.eventually("the link is down", time.Minute, func() bool { return f.link.Links() == 0 })
			before := f.link.Up.Load()
			second := f.worker("w2")
			f.await(id, transfer.Success, 3*time.Minute)
			after := f.link.Up.Load() - before
			t.Logf("%d MiB in all; %d MiB sent before the kill, %d MiB after: %d MiB twice", total/mib, before/mib, after/mib, (before+after-total)/mib)
			if overhead := total / 50; before+after > total+c.again+overhead {
				t.Errorf("%d MiB were sent again, want at most %d:\n%s", (before+after-total)/mib, (c.again+overhead)/mib, f.rows(id))
			}
			f.same("the copy", want, f.contentOf(f.final("take")))
			if n := f.happened(id, transfer.EventRecovered); n == 0 {
				t.Errorf("the history tells of no recovery:\n%s", f.rows(id))
			}
			f.swept()
			f.endsInOrder(second)
		})
	}
}

// endsInOrder stops the last worker, after which nobody is served on the other host.
func (f *far) endsInOrder(p *process) {
	f.Helper()
	p.signal(syscall.SIGTERM)
	p.ends(time.Minute)
	f.alone()
}

func TestAHostThatIsAwayForAWhileIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := setupFar(t, false)
	f.plantTree("take", 20, 2, 1<<20)
	want := f.contentOf(filepath.Join(f.from, "take"))
	f.link.Refuse()
	f.worker("w1")
	id := f.upload("take", transfer.Move, transfer.Auto)
	began := time.Now()
	away := either(8*time.Second, time.Minute)
	f.eventually("it is tried again", 2*time.Minute, func() bool {
		return f.happened(id, transfer.EventRetryScheduled) >= 2 && time.Since(began) > away
	})
	f.link.Restore()
	f.await(id, transfer.Success, 3*time.Minute)
	t.Logf("away for %v, done after %v", away, time.Since(began))
	retries := f.payloads(id, transfer.EventRetryScheduled)
	for _, said := range retries {
		if !strings.Contains(said, string(failure.PortalUnreachable)) {
			t.Errorf("it waits for another reason: %s", said)
		}
	}
	t.Logf("%d retries, the first: %s", len(retries), retries[0])
	f.same("the copy", want, f.contentOf(f.final("take")))
	if _, err := os.Lstat(filepath.Join(f.from, "take")); !os.IsNotExist(err) {
		t.Errorf("the source: %v", err)
	}
	f.swept()
}

func TestAJobThatWaitsForAHostCanBeCancelled(t *testing.T) {
	t.Parallel()
	f := setupFar(t, false)
	f.plantTree("take", 20, 2, 1<<20)
	want := f.contentOf(filepath.Join(f.from, "take"))
	f.link.Refuse()
	f.worker("w1")
	id := f.upload("take", transfer.Move, transfer.Auto)
	f.eventually("it waits", time.Minute, func() bool { return f.happened(id, transfer.EventRetryScheduled) >= 1 })
	asked := time.Now()
	_, err := f.cancel(id)
	must(t, err)
	f.await(id, transfer.Cancelled, time.Minute)
	t.Logf("cancelled after %v", time.Since(asked))
	f.same("the source", want, f.contentOf(filepath.Join(f.from, "take")))
	f.link.Restore()
	f.swept()
}

// silence is how long a host may say nothing before a worker gives its connections up, and a generous bound for what is to be
// done then.
const silence = 30 * time.Second

func TestACancelOverASilentNetworkEndsTheJobAndHarmsNothing(t *testing.T) {
	t.Parallel()
	for _, sftpOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("sftp only ", sftpOnly), func(t *testing.T) {
			t.Parallel()
			f := setupFar(t, sftpOnly)
			f.plantTree("take", 50, 20, 8<<20)
			want := f.contentOf(filepath.Join(f.from, "take"))
			f.worker("w1")
			id := f.upload("take", transfer.Move, transfer.Direct)
			f.sent(id, 60<<20)
			f.link.Swallow()
			asked := time.Now()
			_, err := f.cancel(id)
			must(t, err)
			f.await(id, transfer.Cancelled, 3*time.Minute)
			took := time.Since(asked)
			t.Logf("cancelled after %v", took)
			if took > silence {
				t.Errorf("the cancel took %v", took)
			}
			f.link.Cut()
			f.link.Restore()
			f.same("the source", want, f.contentOf(filepath.Join(f.from, "take")))
			if _, err := os.Lstat(f.final("take")); !os.IsNotExist(err) {
				t.Errorf("the destination: %v", err)
			}
			f.swept()
		})
	}
}

func TestSIGTERMOverAnyNetworkGivesTheJobBackInTime(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		for _, sftpOnly := range []bool{false, true} {
			t.Run(fmt.Sprint("silent ", silent, " sftp only ", sftpOnly), func(t *testing.T) {
				t.Parallel()
				f := setupFar(t, sftpOnly)
				f.plantTree("take", 50, 20, 8<<20)
				want := f.contentOf(filepath.Join(f.from, "take"))
				first := f.worker("w1", "KETTER_SOFT_STOP=50ms")
				id := f.upload("take", transfer.Move, transfer.Direct)
				f.sent(id, 60<<20)
				if silent {
					f.link.Swallow()
				}
				asked := time.Now()
				first.signal(syscall.SIGTERM)
				first.ends(3 * time.Minute)
				took := time.Since(asked)
				t.Logf("ended after %v", took)
				if limit := map[bool]time.Duration{true: silence, false: 10 * time.Second}[silent]; took > limit {
					t.Errorf("it took %v", took)
				}
				if job := f.job(id); job.Status != transfer.Pending || job.Attempts != 0 {
					t.Errorf("the job is %s after %d attempts:\n%s", job.Status, job.Attempts, f.told(id))
				}
				f.link.Cut()
				f.link.Restore()
				second := f.worker("w2")
				f.await(id, transfer.Success, 3*time.Minute)
				f.same("the copy", want, f.contentOf(f.final("take")))
				f.swept()
				f.endsInOrder(second)
			})
		}
	}
}
