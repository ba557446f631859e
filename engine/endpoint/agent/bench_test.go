package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

const oneWay = 10 * time.Millisecond

// far is an agent at a distance of 20 ms.
func far(b testing.TB) (*Storage, endpoint.Dir) {
	return openAt(b, newPool(b, &memory{t: b, delay: oneWay}, Options{Connections: 8}), b.TempDir())
}

func fresh1(b testing.TB, dir endpoint.Dir, name string) endpoint.Dir {
	b.Helper()
	if err := dir.Mkdir(name, 0o700); err != nil {
		b.Fatal(err)
	}
	sub, err := dir.OpenDir(name)
	if err != nil {
		b.Fatal(err)
	}
	return sub
}

func items(n, size int) []endpoint.Item {
	data := bytes.Repeat([]byte("k"), size)
	all := make([]endpoint.Item, n)
	for i := range all {
		all[i] = endpoint.Item{Path: fmt.Sprintf("%02d/%05d.wav", i%16, i), Data: data, Mode: 0o644, SetMode: true, ModAt: time.Unix(1700000000, 5)}
	}
	return all
}

// writeAll is what a caller makes of WriteLimits.
func writeAll(dir endpoint.Dir, all []endpoint.Item, sync bool) error {
	limits := dir.(endpoint.BulkWriter).WriteLimits()
	var calls errgroup.Group
	calls.SetLimit(limits.Calls)
	for len(all) > 0 {
		n, size := 0, int64(0)
		for n < len(all) && n < limits.Items && size+int64(len(all[n].Data)) <= limits.Bytes {
			size += int64(len(all[n].Data))
			n++
		}
		some := all[:n]
		all = all[n:]
		calls.Go(func() error { return dir.(endpoint.BulkWriter).WriteAll(context.Background(), some, sync) })
	}
	return calls.Wait()
}

func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		n := min(2000, 512<<20/size)
		b.Run(fmt.Sprintf("%dx%dKiB", n, size>>10), func(b *testing.B) {
			_, dir := far(b)
			all := items(n, size)
			paths := make([]string, n)
			for i := range all {
				paths[i] = all[i].Path
			}
			var wrote, read, summed time.Duration
			for i := range b.N {
				sub := fresh1(b, dir, fmt.Sprint(i))
				start := time.Now()
				if err := writeAll(sub, all, false); err != nil {
					b.Fatal(err)
				}
				wrote += time.Since(start)
				start = time.Now()
				if err := readAll(sub, paths, int64(size)); err != nil {
					b.Fatal(err)
				}
				read += time.Since(start)
				start = time.Now()
				if err := digests(sub, paths); err != nil {
					b.Fatal(err)
				}
				summed += time.Since(start)
			}
			b.ReportMetric(wrote.Seconds()*1000/float64(b.N), "ms-WriteAll")
			b.ReportMetric(read.Seconds()*1000/float64(b.N), "ms-ReadAll")
			b.ReportMetric(summed.Seconds()*1000/float64(b.N), "ms-Digests")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func readAll(dir endpoint.Dir, paths []string, size int64) error {
	limits := dir.(endpoint.BulkReader).ReadLimits()
	var calls errgroup.Group
	calls.SetLimit(limits.Calls)
	step := min(limits.Items, int(limits.Bytes/size))
	for len(paths) > 0 {
		some := paths[:min(step, len(paths))]
		paths = paths[len(some):]
		calls.Go(func() error {
			return dir.(endpoint.BulkReader).ReadAll(context.Background(), some, 0, true, func(_ int, file endpoint.Whole) error {
				if file.Err != nil || int64(len(file.Data)) != size {
					return fmt.Errorf("%d bytes, %v", len(file.Data), file.Err)
				}
				return nil
			})
		})
	}
	return calls.Wait()
}

func digests(dir endpoint.Dir, paths []string) error {
	limits := dir.(endpoint.Digester).DigestLimits()
	var calls errgroup.Group
	calls.SetLimit(limits.Calls)
	for len(paths) > 0 {
		some := paths[:min(limits.Items, len(paths))]
		paths = paths[len(some):]
		calls.Go(func() error {
			all, err := dir.(endpoint.Digester).Digests(context.Background(), some)
			for _, d := range all {
				if d.Err != nil {
					return d.Err
				}
			}
			return err
		})
	}
	return calls.Wait()
}

// BenchmarkLarge writes and reads one file as package pump does: sixteen chunks of 1 MiB in flight.
func BenchmarkLarge(b *testing.B) {
	const size = 512 << 20
	_, dir := far(b)
	chunk := bytes.Repeat([]byte("k"), 1<<20)
	var wrote, read time.Duration
	for i := range b.N {
		start := time.Now()
		w, err := dir.Create(fmt.Sprint(i), 0o600)
		if err != nil {
			b.Fatal(err)
		}
		if err := pumped(size, func(at int64) error { _, err := w.WriteAt(chunk, at); return err }); err != nil {
			b.Fatal(err)
		}
		if err := w.SetModTime(start); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		wrote += time.Since(start)
		start = time.Now()
		r, err := dir.Open(fmt.Sprint(i))
		if err != nil {
			b.Fatal(err)
		}
		err = pumped(size, func(at int64) error { _, err := r.ReadAt(make([]byte, 1<<20), at); return err })
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
		read += time.Since(start)
		if err := dir.Remove(fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*size/1e6/wrote.Seconds(), "MB/s-WriteAt")
	b.ReportMetric(float64(b.N)*size/1e6/read.Seconds(), "MB/s-ReadAt")
	b.ReportMetric(0, "ns/op")
}

func pumped(size int64, move func(at int64) error) error {
	var chunks errgroup.Group
	chunks.SetLimit(16)
	for at := int64(0); at < size; at += 1 << 20 {
		chunks.Go(func() error { return move(at) })
	}
	return chunks.Wait()
}

// BenchmarkRoundTrips tells how many round trips of 20 ms something takes.
func BenchmarkRoundTrips(b *testing.B) {
	s, dir := far(b)
	full := fresh1(b, dir, "full")
	many := items(2000, 1)
	for i := range many {
		many[i].Path = many[i].Path[3:]
	}
	if err := errors.Join(writeAll(full, many, false), smallFile(dir, "read", false)); err != nil {
		b.Fatal(err)
	}
	for _, what := range []struct {
		name string
		do   func(n int) error
	}{
		{"Locate", func(int) error { _, err := s.Locate(dir.Path()); return err }},
		{"Mkdir+OpenDir+TryLock", func(n int) error {
			sub := fresh1(b, dir, fmt.Sprint("locked", n))
			return sub.TryLock()
		}},
		{"SmallFileWithSync", func(n int) error { return smallFile(dir, fmt.Sprint("synced", n), true) }},
		{"SmallFile", func(n int) error { return smallFile(dir, fmt.Sprint("file", n), false) }},
		{"ReadSmallFile", func(int) error {
			r, err := dir.Open("read")
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = (&bytes.Buffer{}).ReadFrom(r)
			return err
		}},
		{"ListInfo2000", func(int) error {
			n := 0
			err := full.(endpoint.InfoLister).ListInfo(func(string, endpoint.Info) error { n++; return nil })
			if n != 2000 {
				b.Errorf("%d names", n)
			}
			return err
		}},
	} {
		b.Run(what.name, func(b *testing.B) {
			start := time.Now()
			for range b.N {
				serial++
				if err := what.do(serial); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(time.Since(start).Seconds()/float64(b.N)/(2*oneWay.Seconds()), "trips")
		})
	}
}

var serial = -1

func smallFile(dir endpoint.Dir, name string, sync bool) error {
	w, err := dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.WriteAt([]byte("content"), 0); err != nil {
		return err
	}
	if err := w.SetXattrs(nil); err != nil {
		return err
	}
	if err := w.SetMode(0o640); err != nil {
		return err
	}
	if err := w.SetModTime(time.Unix(1700000000, 0)); err != nil {
		return err
	}
	if sync {
		if err := w.Sync(); err != nil {
			return err
		}
	}
	return w.Close()
}
