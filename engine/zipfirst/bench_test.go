package zipfirst

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkPackAndUnpack moves trees within a memory file system, so that what is measured is what the package adds.
func BenchmarkPackAndUnpack(b *testing.B) {
	for _, size := range []int{1 << 10, 32 << 10, 1 << 20, 8 << 20} {
		for _, hash := range []bool{false, true} {
			b.Run(fmt.Sprintf("size=%d/hash=%v", size, hash), func(b *testing.B) { benchmark(b, size, hash) })
		}
	}
}

func benchmark(b *testing.B, size int, hash bool) {
	dir, err := os.MkdirTemp("/dev/shm", "ketter-bench-")
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	files := min(2000, 2<<30/size)
	content := bytes.Repeat([]byte("some sound that does not repeat too soon "), size/40+1)[:size]
	for i := range files {
		path := filepath.Join(dir, "source", fmt.Sprintf("reel%02d", i%20), fmt.Sprintf("take%04d.wav", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(files) * int64(size))
	for b.Loop() {
		f := newFixture(b, dir)
		f.options.Parallel, f.options.Hash = 8, hash
		f.options.Keep.Modes, f.options.Keep.Xattrs = true, true
		f.packAndSeal()
		if err := f.unpack(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		f.remove()
		b.StartTimer()
	}
}
