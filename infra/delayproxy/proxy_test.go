package delayproxy_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/delayproxy"
)

// echo answers every connection with what it is sent, and ends when the other side has said all.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func newProxy(t *testing.T, delay time.Duration) *delayproxy.Proxy {
	t.Helper()
	p, err := delayproxy.Listen("127.0.0.1:0", echo(t), delay)
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *delayproxy.Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn.(*net.TCPConn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, conn net.Conn, word string) {
	t.Helper()
	_, err := conn.Write([]byte(word))
	must(t, err)
}

func hear(t *testing.T, conn net.Conn, word string) {
	t.Helper()
	heard := make([]byte, len(word))
	if _, err := io.ReadFull(conn, heard); err != nil || string(heard) != word {
		t.Fatalf("%q, %v", heard, err)
	}
}

// More than a direction may hold at once, so that blocks come round.
func TestEveryByteArrivesInItsOrder(t *testing.T) {
	t.Parallel()
	p := newProxy(t, time.Millisecond)
	conn := dial(t, p)
	const size = 150 << 20
	go func() {
		_, _ = io.CopyN(conn, rand.NewChaCha8([32]byte{1}), size)
		_ = conn.CloseWrite()
	}()
	wanted, got, buffer := rand.NewChaCha8([32]byte{1}), 0, make([]byte, 1<<20)
	expected := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(conn, buffer)
		_, _ = wanted.Read(expected) // always whole: size is a multiple
		if got += n; n > 0 && !bytes.Equal(buffer[:n], expected[:n]) {
			t.Fatalf("the bytes before %d differ", got)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
	}
	if up, down := p.Up.Load(), p.Down.Load(); got != size || up != size || down != size {
		t.Errorf("%d of %d bytes; counted %d and %d", got, size, up, down)
	}
}

// At least that long: how much longer is the machine's affair.
func TestARoundTripTakesTwiceTheDelay(t *testing.T) {
	t.Parallel()
	p := newProxy(t, 30*time.Millisecond)
	begun := time.Now()
	conn := dial(t, p)
	for n := range 4 {
		say(t, conn, "word")
		hear(t, conn, "word")
		if took, least := time.Since(begun), time.Duration(n+2)*60*time.Millisecond; took < least {
			t.Errorf("handshake and %d round trips took %v, not %v", n+1, took, least)
		}
	}
}

// What is under way doesn't wait for what went before it to be answered: the delay limits no bandwidth.
func TestManyChunksAreUnderWayAtOnce(t *testing.T) {
	t.Parallel()
	p := newProxy(t, time.Second)
	conn := dial(t, p)
	go func() {
		for range 100 {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				return
			}
			time.Sleep(time.Millisecond) // so that they are chunks of their own
		}
	}()
	begun := time.Now()
	_, err := io.ReadFull(conn, make([]byte, 100_000))
	must(t, err)
	if took := time.Since(begun); took > 20*time.Second { // in turn it would be 200
		t.Errorf("it took %v", took)
	}
}

func TestACutResetsWhatThereIsAndTakesWhatComes(t *testing.T) {
	t.Parallel()
	p := newProxy(t, 0)
	conn := dial(t, p)
	say(t, conn, "a")
	hear(t, conn, "a")
	p.Cut()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading says %v", err)
	}
	conn = dial(t, p)
	say(t, conn, "b")
	hear(t, conn, "b")
}

func TestWhatIsSwallowedArrivesOnceItIsRestored(t *testing.T) {
	t.Parallel()
	p := newProxy(t, 0)
	before := dial(t, p)
	say(t, before, "a")
	hear(t, before, "a")
	p.Swallow()
	during := dial(t, p)
	say(t, before, "b")
	say(t, during, "c")
	must(t, before.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if _, err := before.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading says %v", err)
	}
	must(t, p.Restore())
	must(t, before.SetReadDeadline(time.Now().Add(time.Minute)))
	hear(t, before, "b")
	hear(t, during, "c")
}

func TestRefusedUntilItIsRestored(t *testing.T) {
	t.Parallel()
	p := newProxy(t, 0)
	p.Refuse()
	if _, err := net.Dial("tcp", p.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting says %v", err)
	}
	must(t, p.Restore())
	conn := dial(t, p)
	say(t, conn, "a")
	hear(t, conn, "a")
}

func TestATargetThatIsNotThereResets(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	p, err := delayproxy.Listen("127.0.0.1:0", listener.Addr().String(), 0)
	must(t, err)
	t.Cleanup(p.Close)
	conn, err := net.Dial("tcp", p.Address()) // which may hear of it already
	if err == nil {
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it says %v", err)
	}
}

func TestItForgetsWhoHasGone(t *testing.T) {
	t.Parallel()
	p := newProxy(t, 0)
	for range 20 {
		conn := dial(t, p)
		say(t, conn, "a")
		hear(t, conn, "a")
		must(t, conn.Close())
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if now, taken := p.Links(), p.Taken.Load(); now == 0 && taken == 20 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d of %d are there", now, taken)
		}
	}
}

func BenchmarkThroughput(b *testing.B) {
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	ended := make(chan int64)
	go func() {
		conn, err := sink.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 1<<20))
		ended <- n
	}()
	p, err := delayproxy.Listen("127.0.0.1:0", sink.Addr().String(), 10*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 1<<20)
	b.SetBytes(int64(len(block)))
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	<-ended
}
