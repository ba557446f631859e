package portal

import (
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testnet"
)

// losses are what may happen to the other host in the middle of a transfer. mend ends what lasts, once a run has failed of it.
var losses = map[string]struct {
	strike, mend func(b *bench, p *testnet.Proxy)
}{
	"sshd is killed and comes back at once": {func(b *bench, _ *testnet.Proxy) { b.sshd.Kill(); b.sshd.Restart() }, nil},
	"sshd is killed and comes back later": {func(b *bench, _ *testnet.Proxy) { b.sshd.Kill() },
		func(b *bench, _ *testnet.Proxy) { b.sshd.Restart() }},
	"what sshd serves is killed": {func(b *bench, _ *testnet.Proxy) { b.sshd.CutAll() }, nil},
	"the connections are cut":    {func(_ *bench, p *testnet.Proxy) { p.Cut() }, nil},
	"the network refuses":        {func(_ *bench, p *testnet.Proxy) { p.Refuse() }, func(_ *bench, p *testnet.Proxy) { p.Restore() }},
	"the network is split": {func(_ *bench, p *testnet.Proxy) { p.Swallow() },
		func(_ *bench, p *testnet.Proxy) { p.Cut(); p.Restore() }},
}

func TestALossInTheMiddleEndsInSuccessAtLast(t *testing.T) {
	t.Parallel()
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w way, strategy transfer.Strategy, upload bool) {
				b := setup(t, w)
				p := b.network(0)
				b.impatient()
				spec := b.spec(transfer.Move, strategy, upload)
				source, destination := b.folders(spec)
				b.sample(source, 100)
				want := b.snapshot(source)
				struck := b.midway(p, 6<<20, func() { loss.strike(b, p) })
				failed := 0
				_, err := b.work(spec, func(err error) {
					failed++
					if code := failure.CodeOf(err); code != failure.PortalUnreachable {
						t.Errorf("run %d: %v", failed, err)
					}
					if failed == 1 {
						t.Log(failure.From(err).Sentence())
					}
					if !b.whole(source, want) && !b.whole(destination, want) {
						t.Error("neither the source nor the destination is whole")
					}
					if loss.mend != nil && failed == 1 {
						loss.mend(b, p)
					}
				})
				if !struck() {
					t.Fatal("the transfer was done before anything could happen")
				}
				b.must(err)
				if exists(source) || !b.whole(destination, want) {
					t.Error("the tree was not moved")
				}
				t.Logf("%d runs failed", failed)
				b.nothingLeft()
			})
		})
	}
}
