package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/httpapi"
)

// patience bounds waits that end by a signal.
const patience = time.Minute

// never is for what must not be what a test waits for.
const never = 24 * time.Hour

// message is one server-sent event. A comment has its text in comment, the line retry its in retry.
type message struct{ id, event, data, comment, retry string }

// listener reads a stream as a browser would.
type listener struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Reader
}

// serve answers on a port of its own: a recorder is no connection.
func (f *fixture) serve() string {
	f.t.Helper()
	server := httptest.NewServer(checked(f.t, httpapi.New(f.options)))
	f.t.Cleanup(server.Close)
	return server.URL
}

// checked holds what a handler answers against the contract.
func checked(t *testing.T, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path := r.Method, r.URL.Path
		seen := &tee{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(seen, r)
		if err := httpapi.CheckAnswer(method, path, &http.Response{StatusCode: seen.status, Header: w.Header()}, seen.body.Bytes()); err != nil {
			t.Error(err)
		}
	})
}

// tee keeps what is written.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *tee) Flush() { _ = http.NewResponseController(t.ResponseWriter).Flush() }

func (t *tee) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// get asks a server, with a deadline for all that is read of the answer.
func get(t *testing.T, method, url string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func listenTo(t *testing.T, url string, header ...string) *listener {
	t.Helper()
	response := get(t, http.MethodGet, url, header...)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		said, _ := io.ReadAll(response.Body)
		t.Fatalf("%s, %s: %s", response.Status, response.Header.Get("Content-Type"), said)
	}
	return &listener{t: t, response: response, lines: bufio.NewReader(response.Body)}
}

// next returns the next message, or io.EOF when the stream has ended in order.
func (l *listener) next() (m message, err error) {
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return m, err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			m.data += value
		case "retry":
			m.retry = value
		case "":
			if line == "\n" {
				return m, nil
			}
			m.comment = value
		default:
			return m, errors.New("a field that is none: " + line)
		}
	}
}

// expect returns the next message that is an event, which must be of a kind.
func (l *listener) expect(kind string) message {
	l.t.Helper()
	for {
		m, err := l.next()
		if err != nil {
			l.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if m.event == "" {
			continue
		}
		if m.event != kind {
			l.t.Fatalf("%s came, not %s: %+v", m.event, kind, m)
		}
		return m
	}
}

// ended fails the test unless nothing more comes.
func (l *listener) ended() {
	l.t.Helper()
	if m, err := l.next(); err != io.EOF {
		l.t.Fatalf("more came: %+v, %v", m, err)
	}
}

// seq is the number of a message, which its data must hold as well.
func (m message) seq(t *testing.T) int64 {
	t.Helper()
	var data struct{ Seq int64 }
	if err := json.Unmarshal([]byte(m.data), &data); err != nil {
		t.Fatalf("%v: %+v", err, m)
	}
	if m.id != strconv.FormatInt(data.Seq, 10) {
		t.Fatalf("the id and the data differ: %+v", m)
	}
	return data.Seq
}
