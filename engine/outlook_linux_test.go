package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/transfer"
)

func TestWhatIsMountedAsItIsIsForeseen(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	cases := map[string]func(b *bench, spec *transfer.Spec){
		"a read-only destination":    func(b *bench, _ *transfer.Spec) { b.readOnly("to") },
		"new folders on a read-only": func(b *bench, spec *transfer.Spec) { b.readOnly("to"); spec.Destination += "/new" },
		"a read-only source":         func(b *bench, _ *transfer.Spec) { b.readOnly("from") },
		"a read-only folder in it":   func(b *bench, _ *transfer.Spec) { b.readOnly("from/folder/sub") },
		"a mount point in it": func(b *bench, _ *transfer.Spec) {
			b.mount("tmpfs", "from/folder/card", "tmpfs", 0, "")
		},
		"another volume": func(b *bench, spec *transfer.Spec) { b.destinationOn("size=1m"); spec.Destination = b.to },
		"a full volume": func(b *bench, spec *transfer.Spec) {
			b.takes(10)
			b.destinationOn("size=36864")
			spec.Destination = b.to
		},
		"no inodes left": func(b *bench, spec *transfer.Spec) { b.destinationOn("nr_inodes=4"); spec.Destination = b.to },
		"another mount of the same": func(b *bench, spec *transfer.Spec) {
			spec.Destination = filepath.Join(b.bind("to", "bound"), "new")
		},
	}
	for what, prepare := range cases {
		ways(func(mode transfer.Mode, strategy transfer.Strategy) {
			if within := strings.HasSuffix(what, " in it"); within && mode == transfer.Move && strategy == transfer.Auto {
				return // what is mounted there goes along with a rename
			}
			t.Run(fmt.Sprint(what, " ", mode, " ", strategy), func(t *testing.T) {
				b := setup(t)
				b.small()
				spec := b.spec("folder", mode, strategy)
				prepare(b, &spec)
				b.comesTrue(spec)
			})
		})
	}
}
