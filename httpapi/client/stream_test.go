package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// visit is one connection that a listener makes.
type visit func(w http.ResponseWriter, r *http.Request)

func streams(text string) visit {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "retry: 100\n\n"+text)
	}
}

func answers(status int, contentType, body string) visit {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// quiet says nothing until the listener goes.
func quiet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// told is what a listener was told, and with which Last-Event-ID it came.
type told struct {
	updates, came []string
	err           error
}

// listenTo follows job 7 through these visits, one after the other; a further one fails the test.
func listenTo(t *testing.T, after int64, patience, silence time.Duration, visits ...visit) (heard told) {
	t.Helper()
	came := make(chan string, len(visits)+1)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.URL.Path + " " + r.Header.Get("Last-Event-ID")
		if n++; n > len(visits) {
			t.Errorf("it came %d times", n)
			answers(404, "application/problem+json", `{"code":"not_found"}`)(w, r)
			return
		}
		visits[n-1](w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := follower{client: c, id: 7, after: after, patience: patience, silence: silence, tell: func(u Update) error {
		heard.updates = append(heard.updates, describe(u))
		return nil
	}}
	heard.err = f.follow(t.Context())
	close(came)
	for visit := range came {
		heard.came = append(heard.came, visit)
	}
	return heard
}

func describe(u Update) string {
	switch {
	case u.Event != nil:
		return fmt.Sprintf("%d %s", u.Event.Seq, u.Event.Kind)
	case u.Progress != nil:
		return fmt.Sprintf("progress %d", u.Progress.BytesDone)
	case u.Lost != nil:
		return "lost"
	}
	return "end " + string(u.End)
}

func event(seq int, kind string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"seq\":%d,\"kind\":%q,\"message\":\"m\",\"payload\":{}}\n\n", seq, kind, seq, kind)
}

const (
	ended   = "event: end\ndata: {\"status\":\"success\"}\n\n"
	patient = time.Minute
)

func (h told) is(t *testing.T, updates, came string) {
	t.Helper()
	if got := strings.Join(h.updates, ", "); got != updates {
		t.Errorf("told: %s\nwant: %s", got, updates)
	}
	if got := strings.Join(h.came, ", "); came != "" && got != came {
		t.Errorf("came: %s\nwant: %s", got, came)
	}
}

func TestAStreamIsToldInOrderAndEachEventOnce(t *testing.T) {
	t.Parallel()
	heard := listenTo(t, 0, patient, patient, streams(": still here\n\n"+event(1, "created")+event(2, "started")+
		"event: progress\ndata: {\"bytes_done\":5}\n\n"+event(2, "started")+event(1, "created")+
		"event: later_version\ndata: what\n\nid: 3\r\nevent: finished\r\ndata: {\"seq\":3,\r\ndata: \"kind\":\"finished\"}\r\n\r\n"+ended))
	heard.is(t, "1 created, 2 started, progress 5, 3 finished, end success", "/jobs/7/events ")
	if heard.err != nil {
		t.Error(heard.err)
	}
}

func TestAStreamThatBreaksGoesOnAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	heard := listenTo(t, 0, patient, patient,
		streams(event(1, "created")+event(2, "started")+"id: 3\nevent: finished\ndata: {\"seq\":3"), // cut off
		answers(503, "application/problem+json", `{"code":"no_more_streams","detail":"Full."}`),
		answers(502, "text/html", "<html>a proxy's</html>"),
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		streams(event(3, "finished")+ended))
	heard.is(t, "1 created, 2 started, lost, 3 finished, end success",
		"/jobs/7/events , /jobs/7/events 2, /jobs/7/events 2, /jobs/7/events 2, /jobs/7/events 2")
	if heard.err != nil {
		t.Error(heard.err)
	}
}

// However slow this machine is, and so how often it takes a stream for silent that isn't.
func TestASilentStreamIsLeftAndAskedForAgain(t *testing.T) {
	t.Parallel()
	visits := []visit{quiet}
	for range 20 {
		visits = append(visits, streams(ended))
	}
	heard := listenTo(t, 4, patient, 100*time.Millisecond, visits...)
	if n := len(heard.updates); heard.err != nil || n < 2 || heard.updates[0] != "lost" || heard.updates[n-1] != "end success" || heard.came[1] != "/jobs/7/events 4" {
		t.Errorf("%v, %v, %v", heard.updates, heard.came, heard.err)
	}
}

func TestAJobThatHasEndedHasNothingMoreToTell(t *testing.T) {
	t.Parallel()
	heard := listenTo(t, 9, patient, patient, answers(204, "", ""))
	heard.is(t, "", "/jobs/7/events 9")
	if heard.err != nil {
		t.Error(heard.err)
	}
}

func TestWhatAskingAgainCantMendEndsTheFollowing(t *testing.T) {
	t.Parallel()
	heard := listenTo(t, 0, patient, patient, answers(404, "application/problem+json", `{"code":"not_found","detail":"There is no job 7."}`))
	if failure.CodeOf(heard.err) != "not_found" || len(heard.updates) > 0 {
		t.Errorf("%v, %v", heard.updates, heard.err)
	}
}

// With no patience left the first thing that is wrong is the last.
func TestAHostileStreamIsLeft(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", maxMessage+1)
	for name, hostile := range map[string]visit{
		"a line without an end":     streams("data: " + line),
		"a comment without an end":  streams(":" + line),
		"data without an end":       streams(strings.Repeat("data: "+line[:1000]+"\n", 1100)),
		"no JSON":                   streams("id: 1\nevent: created\ndata: <b>\n\n"),
		"another shape":             streams("id: 1\nevent: created\ndata: []\n\n"),
		"progress of another shape": streams("event: progress\ndata: {\"bytes_done\":\"many\"}\n\n"),
		"an end that is none":       streams("event: end\ndata: {\"status\":\"running\"}\n\n"),
		"an end of nothing":         streams("event: end\ndata: null\n\n"),
		"a page":                    answers(200, "text/html", "<html>"),
		"JSON":                      answers(200, "application/json", `{"id":7}`),
		"a redirect":                http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
		"nothing":                   streams(""),
	} {
		heard := listenTo(t, 0, 0, patient, hostile)
		if failure.CodeOf(heard.err) != Unreachable || len(heard.updates) > 0 || failure.From(heard.err).Advice() == "" {
			t.Errorf("%s: %v, %v", name, heard.updates, heard.err)
		}
	}
}

func TestTheListenerEndsTheFollowing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streams(event(1, "created"))(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := c.Follow(t.Context(), 7, 0, func(Update) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("its own error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = c.Follow(ctx, 7, 0, func(Update) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || failure.CodeOf(err) != failure.Cancelled {
		t.Errorf("its context: %v", err)
	}
}

func FuzzAStreamNeverYieldsMoreThanAMessage(f *testing.F) {
	f.Add(event(1, "created")+ended, 3)
	f.Add("data\ndata:\ndata: x\n\n:\nid\nretry: 99999999999\n\nretry: +1\n\n", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		reader := newSSEReader(&slowly{text, max(1, size%64)})
		for {
			m, err := reader.next()
			if err != nil {
				break
			}
			if len(m.data) > len(text) || reader.retry < 0 {
				t.Fatalf("%q of %q", m, text)
			}
		}
	})
}

// slowly gives a few bytes at a time.
type slowly struct {
	text string
	size int
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.size)], s.text)
	s.text = s.text[n:]
	return n, nil
}
