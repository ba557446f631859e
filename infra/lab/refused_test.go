package lab

import (
	"testing"

	"github.com/ketter/ketter/infra/machine"
)

func TestFilesThatFillAVolumeHaveRoomByBytesAndNoneByBlocks(t *testing.T) {
	t.Parallel()
	for _, b := range []machine.Blocks{
		{Size: 1 << 10, Free: 56_000, Available: 52_500}, // ext4 of 64 MiB, of which 5 % are root's
		{Size: 4 << 10, Free: 16_384, Available: 16_384}, // tmpfs
		{Size: 4 << 10, Free: 60_000, Available: 60_000},
		{Size: 64 << 10, Free: 4000, Available: 3900},
	} {
		set, why := overflow(b)
		files, bytes := int64(set.Files()), set.Bytes()
		if blocks := files * 8; why != "" || bytes/files != 7*b.Size+1 || blocks <= b.Free || blocks > b.Free*11/10 || bytes > b.Available*b.Size {
			t.Errorf("%+v: %d files, %d bytes (%s)", b, files, bytes, why)
		}
	}
	for name, b := range map[string]machine.Blocks{
		"too many files": {Size: 512, Free: 2 << 20, Available: 2 << 20}, "too much is root's": {Size: 4 << 10, Free: 10_000, Available: 7000},
	} {
		if set, why := overflow(b); why == "" {
			t.Errorf("%s: %d files", name, set.Files())
		}
	}
}
