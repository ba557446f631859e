package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	files, size := benchSet()
	for i := range files {
		b.write(filepath.Join(source, fmt.Sprint("take ", i)), strings.Repeat(string(rune('a'+i%26)), size))
	}
	t.SetBytes(int64(files * size))
	for t.Loop() {
		t.StopTimer()
		spec := b.spec(transfer.Copy, strategy, upload)
		t.StartTimer()
		b.log.events = nil
		_, err := b.run(t.Context(), spec)
		b.must(err)
		t.StopTimer()
		for _, e := range b.log.events {
			t.Log(e.Kind, e.Figures["seconds"])
		}
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

// benchSet is how many files of how many bytes: 2000 of 1 KiB, unless KETTER_BENCH_SET says otherwise, as 400x1048576.
func benchSet() (files, size int) {
	if n, _ := fmt.Sscanf(os.Getenv("KETTER_BENCH_SET"), "%dx%d", &files, &size); n == 2 {
		return files, size
	}
	return 2000, 1024
}
