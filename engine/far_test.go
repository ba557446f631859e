package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// network is what each side of a transfer is, nil for this machine.
type network struct{ source, destination *endpointtest.Far }

var near = network{}

func agent() *endpointtest.Far {
	return &endpointtest.Far{Bulk: true, Limits: endpoint.BulkLimits{Items: 32, Bytes: 1 << 20, Calls: 2}}
}

func plainSFTP() *endpointtest.Far { return &endpointtest.Far{Plain: true} }

func tools() *endpointtest.Far {
	f := agent()
	f.Plain = true
	return f
}

// networks are pairs of sides of which one is far away, so that each kind is on either side.
func networks() map[string]network {
	return map[string]network{"near to agent": {nil, agent()}, "agent to near": {agent(), nil}, "near to sftp": {nil, plainSFTP()},
		"sftp to near": {plainSFTP(), nil}, "near to tools": {nil, tools()}, "tools to agent": {tools(), agent()}}
}

// goOver puts the sides of a bench where they are.
func (b *bench) goOver(n network) {
	for _, side := range []struct {
		far      *endpointtest.Far
		decorate *func(endpoint.Dir) endpoint.Dir
	}{{n.source, &b.engine.decorate.source}, {n.destination, &b.engine.decorate.destination}} {
		if side.far != nil {
			before, far := *side.decorate, side.far
			*side.decorate = func(d endpoint.Dir) endpoint.Dir { return far.Wrap(before(d)) }
		}
	}
}

func TestATreeArrivesAsItLeftOverAnyNetwork(t *testing.T) {
	t.Parallel()
	for name, over := range networks() {
		for _, mode := range modes {
			for _, strategy := range strategies {
				t.Run(fmt.Sprint(name, " ", mode, " ", strategy), func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					b.goOver(over)
					b.small()
					for i := range 100 {
						b.write(fmt.Sprintf("from/folder/many/%d/%d", i%7, i), strings.Repeat("x", i*1000))
					}
					b.write("from/folder/large", strings.Repeat("large", 500_000))
					b.must(os.MkdirAll(filepath.Join(b.from, "folder/empty/too"), 0o755))
					b.age(filepath.Join(b.from, "folder"))
					want := b.snapshot(filepath.Join(b.from, "folder"))
					spec := b.spec("folder", mode, strategy)
					result, err := b.run(t.Context(), spec)
					b.must(err)
					b.same(b.snapshot(spec.FinalPath()), want)
					if want := methodOver(over, strategy); result.Method != want {
						t.Errorf("the method is %s, want %s", result.Method, want)
					}
					if mode == transfer.Move {
						b.gone(spec.Source)
					}
					b.must(b.engine.CleanUp(t.Context(), spec))
					b.holds(spec.Destination, "folder")
				})
			}
		}
	}
}

func methodOver(over network, strategy transfer.Strategy) transfer.Method {
	together := over.source != nil && over.source.Bulk || over.destination != nil && over.destination.Bulk
	if strategy == transfer.ZipFirst && together {
		return transfer.Stream
	}
	return transfer.Copied
}

func TestEverythingATreeMayHoldGoesThroughAnAgent(t *testing.T) {
	t.Parallel()
	for _, over := range []network{{agent(), nil}, {nil, agent()}, {agent(), agent()}} {
		b := setup(t)
		b.goOver(over)
		b.sample("Day 1")
		b.must(os.Chmod(filepath.Join(b.from, "Day 1/large"), 0o755))
		want := b.snapshot(filepath.Join(b.from, "Day 1"))
		_, err := b.run(t.Context(), b.spec("Day 1", transfer.Copy, transfer.ZipFirst))
		b.must(err)
		b.same(b.snapshot(filepath.Join(b.to, "Day 1")), want)
		for side, far := range map[string]*endpointtest.Far{"source": over.source, "destination": over.destination} {
			if far == nil {
				continue
			}
			if side == "source" && far.Read.Load() == 0 || side == "destination" && (far.Written.Load() == 0 || far.Summed.Load() == 0) {
				t.Errorf("%s: %d read, %d written, %d summed together", side, far.Read.Load(), far.Written.Load(), far.Summed.Load())
			}
		}
	}
}

func TestNoProgramComesToRunWithItsOwnersRightsElsewhere(t *testing.T) {
	t.Parallel()
	for _, strategy := range strategies {
		b := setup(t)
		b.goOver(network{nil, agent()})
		b.write("from/folder/tool", "#!")
		b.must(os.Chmod(filepath.Join(b.from, "folder/tool"), 0o755|os.ModeSetuid|os.ModeSetgid))
		_, err := b.run(t.Context(), b.spec("folder", transfer.Copy, strategy))
		b.must(err)
		info, err := os.Stat(filepath.Join(b.to, "folder/tool"))
		b.must(err)
		if info.Mode() != 0o755 {
			t.Errorf("%s: its mode is %v", strategy, info.Mode())
		}
	}
}

func TestACrashAtAnyMomentOverANetworkIsMendedByTheNextRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		over     network
		strategy transfer.Strategy
	}{
		"to an agent":   {network{nil, agent()}, transfer.ZipFirst},
		"from an agent": {network{agent(), nil}, transfer.ZipFirst},
		"to sftp":       {network{nil, plainSFTP()}, transfer.Direct},
	} {
		for _, mode := range modes {
			t.Run(fmt.Sprint(name, " ", mode), func(t *testing.T) {
				t.Parallel()
				for n := int64(1); crashAt(t, c.over, mode, c.strategy, n); n++ {
				}
			})
		}
	}
}

func TestAnyFailureOverANetworkLeavesSourceOrDestinationComplete(t *testing.T) {
	t.Parallel()
	for _, over := range []network{{nil, agent()}, {plainSFTP(), tools()}} {
		for _, side := range []string{"source", "destination"} {
			t.Run(fmt.Sprint(over.source != nil, over.destination != nil, side), func(t *testing.T) {
				t.Parallel()
				for n := int64(1); failOnce(t, over, transfer.Move, transfer.ZipFirst, side, false, n); n++ {
				}
			})
		}
	}
}

func TestWithoutNumbersSomebodyElsesNameIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.goOver(network{plainSFTP(), plainSFTP()})
	b.write("from/file", "ours")
	b.write("to/file", "theirs")
	spec := b.spec("file", transfer.Move, transfer.Direct)
	for _, method := range []transfer.Method{transfer.Rename, transfer.Copied} {
		spec.Intent = &transfer.Intent{Path: spec.FinalPath(), Method: method, Files: 1, Bytes: 4}
		_, err := b.run(t.Context(), spec)
		b.fails(err, failure.DestinationExists)
		for path, want := range map[string]string{"from/file": "ours", "to/file": "theirs"} {
			if got, err := os.ReadFile(filepath.Join(b.root, path)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
	}
}
