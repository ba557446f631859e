package engine

import (
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
)

// place is a folder that is nothing but what it can do.
type place struct {
	endpoint.Dir
	can endpoint.Capabilities
}

func (p place) Capabilities() endpoint.Capabilities { return p.can }

func TestOverANetworkTheSideThatTakesFewerFilesDecides(t *testing.T) {
	t.Parallel()
	near, agent := place{}, place{can: endpoint.Capabilities{Far: true}}
	sftp := func(files int) place { return place{can: endpoint.Capabilities{Far: true, InFlight: files}} }
	for _, c := range []struct {
		want int
		dirs []endpoint.Dir
	}{
		{0, []endpoint.Dir{near, near}}, {farInFlight, []endpoint.Dir{near, agent}}, {448, []endpoint.Dir{near, sftp(448)}},
		{64, []endpoint.Dir{sftp(64), agent}}, {64, []endpoint.Dir{agent, sftp(64)}}, {farInFlight, []endpoint.Dir{sftp(448), agent}},
	} {
		if got := inFlightFar(c.dirs); got != c.want {
			t.Errorf("%v: %d, want %d", c.dirs, got, c.want)
		}
	}
}

func TestNobodyHasAHeapWhileOthersAreIdle(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{0, 1, 4, 64, 256, 448} {
		for _, names := range []int64{0, 1, 31, 500, 2000, 100_000, 1 << 40} {
			got := share(names, parallel, chunk)
			if got < 1 || got > chunk {
				t.Fatalf("%d of %d for %d", got, names, parallel)
			}
			if got > 1 && names/int64(got) < int64(parallel) {
				t.Errorf("%d names, %d each: fewer than %d have something to do", names, got, parallel)
			}
		}
	}
	if got := share(1<<40, 4, chunk); got != chunk {
		t.Errorf("of very many names %d at once: neighbours share folders", got)
	}
}
