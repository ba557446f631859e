package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
)

func TestATreeArrivesAsItLeftByAnyWay(t *testing.T) {
	t.Parallel()
	for name, w := range ways {
		for _, mode := range []transfer.Mode{transfer.Copy, transfer.Move} {
			for _, strategy := range []transfer.Strategy{transfer.Direct, transfer.ZipFirst} {
				for _, upload := range []bool{true, false} {
					t.Run(fmt.Sprint(name, " ", mode, " ", strategy, " upload ", upload), func(t *testing.T) {
						t.Parallel()
						b := setup(t, w)
						spec := b.spec(mode, strategy, upload)
						source, destination := b.folders(spec)
						b.sample(source, 100)
						want := b.snapshot(source)
						result, err := b.run(t.Context(), spec)
						b.must(err)
						if got := b.snapshot(destination); got != want {
							t.Errorf("it arrived as\n%s\nwant\n%s", got, want)
						}
						if _, err := os.Lstat(source); os.IsNotExist(err) != (mode == transfer.Move) {
							t.Errorf("the source: %v", err)
						}
						if result.Method != w.methods[strategy] || b.log.via() != w.via {
							t.Errorf("by %s via %s, want %s via %s", result.Method, b.log.via(), w.methods[strategy], w.via)
						}
						b.must(b.engine.CleanUp(t.Context(), spec))
						b.clean(filepath.Dir(destination), "Day 1")
					})
				}
			}
		}
	}
}
