package pump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/cespare/xxhash/v2"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// source is a file in memory with holes, that fails as it is told.
type source struct {
	endpoint.Reader
	content []byte
	data    [][2]int64               // stretches; all of it when nil
	read    func(offset int64) error // asked before each read
	seek    func(offset int64) error
	short   bool // reads less than it was asked for, and says nothing
}

func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	if s.read != nil {
		if err := s.read(offset); err != nil {
			return 0, err
		}
	}
	if s.short {
		return copy(p[:len(p)/2], s.content[offset:]), nil
	}
	return bytes.NewReader(s.content).ReadAt(p, offset)
}

func (s *source) NextData(offset, size int64) (start, end int64, err error) {
	if s.seek != nil {
		if err := s.seek(offset); err != nil {
			return 0, 0, err
		}
	}
	if s.data == nil {
		return offset, size, nil
	}
	for _, d := range s.data {
		if offset < d[1] {
			return max(offset, d[0]), d[1], nil
		}
	}
	return size, size, nil
}

// target is a file in memory.
type target struct {
	endpoint.Writer
	mu      sync.Mutex
	content []byte
	write   func(offset int64) error
}

func (t *target) WriteAt(p []byte, offset int64) (int, error) {
	if t.write != nil {
		if err := t.write(offset); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return copy(t.content[offset:], p), nil
}

const chunks = 9

// file is one of some chunks, the last of which is not full, with zeros where it has no data.
func file(data [][2]int64) *source {
	const size = chunks*ChunkSize - 777
	s := &source{content: make([]byte, size), data: data}
	if data == nil {
		data = [][2]int64{{0, size}}
	}
	for _, d := range data {
		copy(s.content[d[0]:d[1]], noise()[d[0]:])
	}
	return s
}

// noise has no two chunks that are the same.
var noise = sync.OnceValue(func() []byte {
	all := make([]byte, chunks*ChunkSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(all)
	return all
})

func work(in *source, out *target) Work {
	w := Work{In: in, Size: int64(len(in.content)), Source: "/from/file", Target: "/to/file", InFlight: 4,
		Count: func(int64) {}}
	if out != nil {
		out.content = make([]byte, w.Size)
		w.Out = out
	}
	return w
}

func TestWhatArrivesAndWhatIsSummedIsTheFile(t *testing.T) {
	t.Parallel()
	const c = ChunkSize
	whole := int64(chunks*c - 777)
	for what, data := range map[string][][2]int64{
		"no hole": nil, "nothing but a hole": {}, "a hole at the beginning": {{c + 1, whole}},
		"a hole at the end": {{0, 2*c - 5}}, "holes in the middle": {{0, 3}, {c - 1, c + 1}, {5 * c, 7*c + 9}, {whole - 1, whole}},
	} {
		for _, from := range []int64{0, 1, c, 3*c + 17, whole - 1} {
			for _, inFlight := range []int{1, 2, 16} {
				t.Run(fmt.Sprint(what, " from ", from, " with ", inFlight), func(t *testing.T) {
					t.Parallel()
					in, out := file(data), &target{}
					w := work(in, out)
					sum, counted, last := xxhash.New(), atomic.Int64{}, int64(0)
					w.From, w.InFlight, w.Sums = from, inFlight, []io.Writer{sum}
					w.Count = func(n int64) { counted.Add(n) }
					w.Reached = func(offset int64) error {
						if offset <= last {
							t.Errorf("reached %d after %d", offset, last)
						}
						last = offset
						// All before it is written, and nothing after it is summed.
						if from == 0 && (sum.Sum64() != xxhash.Sum64(in.content[:offset]) || !out.begins(in.content[:offset])) {
							t.Errorf("reached %d too early", offset)
						}
						return nil
					}
					if err := Run(t.Context(), w); err != nil {
						t.Fatal(err)
					}
					if sum.Sum64() != xxhash.Sum64(in.content[from:]) {
						t.Error("the sum is wrong")
					}
					if !bytes.Equal(out.content[from:], in.content[from:]) {
						t.Error("what arrived is different")
					}
					if counted.Load() != w.Size-from || last != w.Size {
						t.Errorf("counted %d, reached %d of %d", counted.Load(), last, w.Size)
					}
				})
			}
		}
	}
}

func (t *target) begins(want []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.HasPrefix(t.content, want)
}

func TestAnArchivesEntryGoesToItsPlace(t *testing.T) {
	t.Parallel()
	in, out := file(nil), &target{}
	w := work(in, out)
	out.content, w.At = make([]byte, w.Size+1234), 1234
	if err := Run(t.Context(), w); err != nil || !bytes.Equal(out.content[1234:], in.content) {
		t.Errorf("it isn't there (%v)", err)
	}
}

func TestZerosBeyondAnInt32AreSummed(t *testing.T) {
	t.Parallel()
	const size = 5 << 30
	var summed counter
	in := &source{data: [][2]int64{}}
	w := Work{In: in, Size: size, InFlight: 2, Sums: []io.Writer{&summed}, Count: func(int64) {}}
	if err := Run(t.Context(), w); err != nil || summed != size {
		t.Errorf("summed %d of %d (%v)", summed, size, err)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// TestAnyErrorEndsItAndLeavesNothingRunning fails each step of each chunk: Run returns that error, and nothing that it
// began is left. A bubble of synctest fails when all in it wait for one another.
func TestAnyErrorEndsItAndLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	holes := [][2]int64{{ChunkSize, 3 * ChunkSize}, {4 * ChunkSize, 6 * ChunkSize}}
	cases := map[string]struct {
		spoil func(w *Work, in *source, out *target, at int64)
		code  failure.Code
		path  string
	}{
		"read": {func(_ *Work, in *source, _ *target, at int64) { in.read = from(at, syscall.EACCES) },
			failure.SourcePermissionDenied, "/from/file"},
		"read of what was staged": {func(w *Work, in *source, _ *target, at int64) {
			in.read, w.Staged = from(at, syscall.EACCES), true
		}, failure.DestinationPermissionDenied, "/from/file"},
		"write": {func(_ *Work, _ *source, out *target, at int64) { out.write = from(at, syscall.ENOSPC) },
			failure.DestinationFull, "/to/file"},
		"seek": {func(_ *Work, in *source, _ *target, at int64) { in.seek = from(at, syscall.EIO) },
			failure.IOError, "/from/file"},
		"an end too soon": {func(_ *Work, in *source, _ *target, at int64) { in.read = from(at, io.EOF) },
			failure.SourceChanged, "/from/file"},
		"an end too soon of what was staged": {func(w *Work, in *source, _ *target, at int64) {
			in.read, w.Staged = from(at, io.EOF), true
		}, failure.IOError, "/from/file"},
		"a short read": {func(_ *Work, in *source, _ *target, at int64) { in.short = true }, failure.IOError, "/from/file"},
		"what is noted": {func(w *Work, _ *source, _ *target, at int64) {
			w.Reached = from(at, failure.AtDestination("record", "/to/file", syscall.EIO))
		}, failure.IOError, "/to/file"},
	}
	for what, c := range cases {
		for _, data := range [][][2]int64{nil, holes} {
			for n := range int64(chunks) {
				t.Run(fmt.Sprint(what, n, len(data)), func(t *testing.T) {
					t.Parallel()
					if at := n * ChunkSize; data != nil && !within(data, at) {
						return // nothing is read there
					}
					in, out := file(data), &target{}
					synctest.Test(t, func(t *testing.T) {
						w := work(in, out)
						w.Sums, w.InFlight = []io.Writer{xxhash.New()}, int(n%3)+1
						offset := n * ChunkSize
						if what == "seek" && data == nil {
							offset = 0
						}
						c.spoil(&w, in, out, offset)
						f := failure.From(Run(t.Context(), w))
						if f == nil || f.Code != c.code || f.Path != c.path {
							t.Errorf("it ends with %v", f)
						}
					})
				})
			}
		}
	}
}

// from fails whatever comes to offset, or is beyond it.
func from(offset int64, err error) func(int64) error {
	return func(at int64) error {
		if at >= offset {
			return err
		}
		return nil
	}
}

func within(data [][2]int64, at int64) bool {
	for _, d := range data {
		if at >= d[0] && at < d[1] {
			return true
		}
	}
	return false
}

func TestACancelAtAnyChunkEndsIt(t *testing.T) {
	t.Parallel()
	for n := range int64(chunks) {
		for _, step := range []string{"read", "write", "reached", "seek"} {
			t.Run(fmt.Sprint(step, n), func(t *testing.T) {
				t.Parallel()
				in, out := file([][2]int64{{0, 8 * ChunkSize}}), &target{}
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					w := work(in, out)
					w.InFlight = int(n%4) + 1
					stop := func(at int64) error {
						if at >= n*ChunkSize || step == "seek" {
							cancel()
						}
						return nil
					}
					switch step {
					case "read":
						in.read = stop
					case "write":
						out.write = stop
					case "seek":
						in.seek = stop
					default:
						w.Reached = stop
					}
					err := Run(ctx, w)
					// When all is done by then, the end is a good one too.
					if err == nil && !bytes.Equal(in.content, out.content) || err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("it ends with %v", err)
					}
				})
			})
		}
	}
}

func TestACancelIsNoticedWithinAHole(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := &source{data: [][2]int64{}}
	summed := stopper{cancel: cancel}
	const size = 1 << 60 // hashing so many zeros takes a lifetime
	err := Run(ctx, Work{In: in, Size: size, InFlight: 2, Sums: []io.Writer{&summed}, Count: func(int64) {}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

type stopper struct{ cancel func() }

func (s *stopper) Write(p []byte) (int, error) { s.cancel(); return len(p), nil }

func TestAWriteErrorIsNotTakenForTheSources(t *testing.T) {
	t.Parallel()
	in, out := file(nil), &target{write: from(0, io.ErrShortWrite)}
	err := Run(t.Context(), work(in, out))
	if f := failure.From(err); f.Path != "/to/file" || !strings.Contains(err.Error(), "write") {
		t.Errorf("it ends with %v", err)
	}
}
