package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testnet"
)

// BenchmarkOverALink transfers 2000 files over a link with a round trip of 20 ms, by a portal that is open already.
func BenchmarkOverALink(b *testing.B) {
	for name, w := range ways {
		for _, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
			for _, upload := range []bool{true, false} {
				b.Run(fmt.Sprint(name, " ", strategy, " upload ", upload), func(t *testing.B) { overALink(t, w, strategy, upload) })
			}
		}
	}
}

func overALink(t *testing.B, w way, strategy transfer.Strategy, upload bool) {
	b := setup(t, w)
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", b.portal.Target.Port), linkDelay())
	b.portal.Target.Port = proxy.Port()
	b.portal.Target.Connections = 8
	spec := b.spec(transfer.Copy, strategy, upload)
	source, destination := b.folders(spec)
	for i := range 2000 {
		b.write(filepath.Join(source, fmt.Sprint("take ", i)), fmt.Sprintf("%1024d", i))
	}
	for t.Loop() {
		t.StopTimer()
		spec := b.spec(transfer.Copy, strategy, upload)
		t.StartTimer()
		_, err := b.run(t.Context(), spec)
		b.must(err)
		t.StopTimer()
		b.must(b.engine.CleanUp(t.Context(), spec))
		b.must(os.RemoveAll(destination))
		t.StartTimer()
	}
}

func linkDelay() time.Duration {
	d, err := time.ParseDuration(os.Getenv("KETTER_BENCH_DELAY"))
	if err != nil {
		return 10 * time.Millisecond
	}
	return d
}
