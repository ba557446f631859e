package sftp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/infra/testnet"
	"github.com/ketter/ketter/infra/testsshd"
)

// far is a folder behind a network of 20 ms there and back.
func far(t testing.TB, connections int) (endpoint.Dir, *testnet.Proxy) {
	t.Helper()
	sshd := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", sshd.Port), 10*time.Millisecond)
	target := sshd.Target(connections)
	target.Port = proxy.Port()
	return top(t, storage(t, target, t.TempDir(), sftp.Options{})), proxy
}

func BenchmarkLargeFile(b *testing.B) {
	size := int64(1 << 30)
	if given, err := strconv.Atoi(os.Getenv("KETTER_BENCH_MIB")); err == nil {
		size = int64(given) << 20
	}
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			dir, _ := far(b, connections)
			for i := range b.N {
				name := fmt.Sprint(i)
				begun := time.Now()
				w, err := dir.Create(name, 0o600)
				must(b, err)
				must(b, eachChunk(size, func(buffer []byte, at int64) error { return second(w.WriteAt(buffer, at)) }))
				must(b, errors.Join(w.Sync(), w.Close()))
				b.ReportMetric(float64(size)/1e6/time.Since(begun).Seconds(), "MB/s-written")
				begun = time.Now()
				r, err := dir.Open(name)
				must(b, err)
				must(b, eachChunk(size, func(buffer []byte, at int64) error { return second(r.ReadAt(buffer, at)) }))
				must(b, r.Close())
				b.ReportMetric(float64(size)/1e6/time.Since(begun).Seconds(), "MB/s-read")
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// eachChunk has 16 chunks of 1 MiB in flight, as package pump does.
func eachChunk(size int64, fn func(buffer []byte, at int64) error) error {
	const chunk, inFlight = 1 << 20, 16
	next := make(chan int64)
	errs := make([]error, inFlight)
	var all sync.WaitGroup
	for i := range inFlight {
		buffer := make([]byte, chunk)
		for j := range buffer {
			buffer[j] = byte(rand.Uint32())
		}
		all.Go(func() {
			for at := range next {
				if err := fn(buffer, at); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for at := int64(0); at < size; at += chunk {
		next <- at
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}

func BenchmarkSmallFiles(b *testing.B) {
	const files, inFlight = 2000, 64
	for b.Loop() {
		dir, proxy := far(b, 8)
		content := bytes.Repeat([]byte("k"), 1024)
		begun := time.Now()
		each(b, files, inFlight, func(i int) error {
			w, err := dir.Create(fmt.Sprint(i), 0o600)
			if err != nil {
				return err
			}
			_, err = w.WriteAt(content, 0)
			return errors.Join(err, w.SetMode(0o644), w.SetModTime(begun), w.Sync(), w.Close())
		})
		b.ReportMetric(time.Since(begun).Seconds(), "s-written")
		begun = time.Now()
		each(b, files, inFlight, func(i int) error {
			r, err := dir.Open(fmt.Sprint(i))
			if err != nil {
				return err
			}
			defer r.Close()
			got := make([]byte, 1024)
			if _, err := r.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(got, content) {
				return fmt.Errorf("read %q, %v", got, err)
			}
			return nil
		})
		b.ReportMetric(time.Since(begun).Seconds(), "s-read")
		b.ReportMetric(float64(proxy.Taken.Load()), "connections")
	}
}

func each(t testing.TB, n, inFlight int, fn func(i int) error) {
	t.Helper()
	next := make(chan int)
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() {
			for i := range next {
				if err := fn(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}
