package portal

import (
	"context"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testnet"
)

// patience is a bound for what ends by itself, on a machine that has much else to do.
const patience = 2 * time.Minute

// network puts one between the hosts, to which things can be done.
func (b *bench) network(delay time.Duration) *testnet.Proxy {
	b.Helper()
	p := testnet.NewProxy(b, fmt.Sprintf("127.0.0.1:%d", b.sshd.Port), delay)
	b.portal.Target.Port = p.Port()
	return p
}

// impatient makes an engine that notices a silent host within seconds.
func (b *bench) impatient() {
	b.Helper()
	b.options.Remote = remote.Options{KeepAlive: time.Second, Misses: 2, Connect: 2 * time.Second, Handshake: 4 * time.Second, Grace: time.Second, Tries: 2}
	b.options.Agent = agent.Options{Greeting: 4 * time.Second, Ping: time.Second, GiveUp: 3 * time.Second,
		Delays: []time.Duration{time.Second}, LockWait: 5 * time.Second}
	b.options.SFTP = sftp.Options{Start: 5 * time.Second, Stall: 5 * time.Second, Again: []time.Duration{time.Second}}
	b.begin()
}

// midway strikes once so many bytes have passed a network. What it returns waits until then, and reports whether it came to it.
func (b *bench) midway(p *testnet.Proxy, bytes int64, strike func()) (struck func() bool) {
	from, done, result := p.Up.Load()+p.Down.Load(), make(chan struct{}), make(chan bool, 1)
	go func() {
		for tick := time.NewTicker(time.Millisecond); ; {
			if p.Up.Load()+p.Down.Load()-from >= bytes {
				strike()
				result <- true
				return
			}
			select {
			case <-done:
				result <- false
				return
			case <-tick.C:
			}
		}
	}()
	return func() bool { close(done); return <-result }
}

// work does a job as a worker does: again while another try may help. Each run has a token of its own, and knows what those
// before it have recorded. between is called after each that has failed.
func (b *bench) work(spec transfer.Spec, between func(err error)) (result transfer.Result, err error) {
	b.Helper()
	for range 8 {
		b.runs++
		spec.Run.Token = fmt.Sprintf("t%d", b.runs)
		spec.Intent = b.log.intent()
		spec.Resumes = func(err error) bool { return failure.CodeOf(err).Class() == failure.Transient }
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		result, err = b.run(ctx, spec)
		cancel()
		if err == nil || !spec.Resumes(err) {
			break
		}
		between(err)
	}
	// A process that is just being started holds a copy of each lock until it is another program: the run seems to live for a moment.
	left, swept := b.engine.Sweep(b.Context(), spec, err == nil)
	for deadline := time.Now().Add(patience); left == engine.LeftAlive && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		left, swept = b.engine.Sweep(b.Context(), spec, err == nil)
	}
	if failure.CodeOf(err) == "" {
		b.must(swept)
	}
	return result, err
}

func (j *journal) intent() *transfer.Intent {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.intents) == 0 {
		return nil
	}
	return &j.intents[len(j.intents)-1]
}

// exists reports whether a name stands for anything.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// whole reports whether a tree is there just as it was.
func (b *bench) whole(top, want string) bool {
	b.Helper()
	return exists(top) && b.snapshot(top) == want
}

// leftovers are the names of Ketter's own on both hosts.
func (b *bench) leftovers() (found []string) {
	b.Helper()
	for _, top := range []string{b.lab, b.srv, b.sshd.Home} {
		b.must(filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err == nil && p != top && (strings.HasPrefix(d.Name(), ".") || strings.Contains(d.Name(), "partial")) {
				found = append(found, p)
			}
			return err
		}))
	}
	return found
}

// nothingLeft makes sure that neither names nor, once the portals are closed, processes of Ketter's are left.
func (b *bench) nothingLeft() {
	b.Helper()
	if left := b.leftovers(); len(left) > 0 {
		b.Errorf("left behind: %q", left)
	}
	b.portals.Close()
	for deadline := time.Now().Add(patience); len(b.sshd.Served()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("these processes are left: %q", b.sshd.Served())
		}
	}
}

// tells makes sure that a failure has its code, and shows what a person gets to read.
func (b *bench) tells(err error, code failure.Code) {
	b.Helper()
	f := failure.From(err)
	if f == nil || f.Code != code {
		b.Errorf("%v\nwant %s", err, code)
		return
	}
	b.Logf("%s\n\t%s\n\t%s", f.Code, f.Sentence(), f.Advice())
}

// each calls fn for every way with each strategy, up or down: which of the two is chosen by the test's name, so that a test's cases
// together have all. With KETTER_PORTAL=long (`task portals`) each case has all.
func each(t *testing.T, fn func(t *testing.T, w way, strategy transfer.Strategy, upload bool)) {
	for name, w := range ways {
		for i, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
			for j, upload := range []bool{true, false} {
				if os.Getenv("KETTER_PORTAL") != "long" && (i+j+int(crc32.ChecksumIEEE([]byte(t.Name()+name))))%2 != 0 {
					continue
				}
				t.Run(fmt.Sprint(name, " ", strategy, " upload ", upload), func(t *testing.T) {
					t.Parallel()
					fn(t, w, strategy, upload)
				})
			}
		}
	}
}
