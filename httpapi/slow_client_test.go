package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/httpapi"
)

// served starts a handler whose clients may take so long, and returns a connection to it.
func served(t *testing.T, handler http.HandlerFunc, serve func(net.Listener, http.Handler) error) net.Conn {
	t.Helper()
	listener := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- serve(listener, handler) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	return conn
}

// soon is a limit that a test waits for.
const soon = 50 * time.Millisecond

// impatient serves with limits of which the test makes one short: another that is would end what is to be seen.
func impatient(t *testing.T, header, request, answer, idle time.Duration) func(net.Listener, http.Handler) error {
	return func(l net.Listener, h http.Handler) error {
		return httpapi.ServeWithin(t.Context(), l, h, header, request, answer, idle)
	}
}

func say(t *testing.T, conn net.Conn, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, format, args...); err != nil {
		t.Fatal(err)
	}
}

// isCut fails the test unless the server ends the connection, before the test has lost its patience.
func isCut(t *testing.T, conn net.Conn) {
	t.Helper()
	var timeout net.Error
	if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
}

func TestAHeaderThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	conn := served(t, func(http.ResponseWriter, *http.Request) { t.Error("it was handled") }, impatient(t, soon, never, never, never))
	say(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	isCut(t, conn)
}

func TestAConnectionThatSaysNothingIsCutOff(t *testing.T) {
	t.Parallel()
	conn := served(t, func(http.ResponseWriter, *http.Request) {}, impatient(t, never, never, never, soon))
	say(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	isCut(t, conn)
}

func TestABodyThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	conn := served(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	}, impatient(t, never, soon, never, never))
	say(t, conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	isCut(t, conn)
}

func TestAnAnswerThatNobodyTakesIsCutOff(t *testing.T) {
	t.Parallel()
	wrote := make(chan error, 1)
	conn := served(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20)) // more than any socket buffers
		wrote <- err
	}, impatient(t, never, never, soon, never))
	say(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// Live events last longer than an answer may: who takes them is not cut off.
func TestAStreamOutlivesTheTimeOfAnAnswer(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: 10 * time.Millisecond, BeatAfter: soon}
	id, path := f.running()
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- httpapi.ServeWithin(ctx, listener, httpapi.New(f.options), never, never, soon, never) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	l := listenTo(t, "http://"+listener.Addr().String()+path)
	l.expect("created")
	l.expect("started")
	for beats := 0; beats < 5; { // each after the limit
		m, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.comment != "" {
			beats++
		}
	}
	f.finish(id)
	l.expect("finished")
	l.expect("end")
	l.ended()
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{32 << 10: "200", 128 << 10: "431"} {
		conn := served(t, func(http.ResponseWriter, *http.Request) {}, func(l net.Listener, h http.Handler) error {
			return httpapi.Serve(t.Context(), l, h, zerolog.Nop())
		})
		go func() { // which the server doesn't read to its end
			_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", size))
		}()
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%d bytes: %q, %v", size, line, err)
		}
	}
}
