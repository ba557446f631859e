package httpapi_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/httpapi"
)

func TestNoMoreStreamsThanThereMayBe(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Most: 2, Poll: time.Millisecond}
	id, path := f.running()
	url := f.serve() + path
	first, second := listenTo(t, url), listenTo(t, url)
	first.expect("created")
	second.expect("created")
	response := get(t, http.MethodGet, url)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" ||
		response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %v", response.Status, response.Header)
	}
	f.finish(id)
	for _, l := range []*listener{first, second} {
		l.expect("started")
		l.expect("finished")
		l.expect("end")
		l.ended() // and its place is free
	}
	listenTo(t, url).expect("created")
}

// ending tells when a handler has returned.
func ending(handler http.Handler) (http.Handler, <-chan struct{}) {
	ended := make(chan struct{}, 16)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		handler.ServeHTTP(w, r)
	}), ended
}

func wait(t *testing.T, what string, happened <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-happened:
	case <-ctx.Done():
		t.Fatal("never happened: " + what)
	}
}

func TestAListenerWhoTakesNothingIsDropped(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{SendIn: 50 * time.Millisecond, Poll: time.Millisecond}
	id, path := f.running()
	f.exec(`INSERT INTO job_events (job_id, seq, kind, message) SELECT $1, seq, 'verified', repeat('x', 4000000) FROM generate_series(3, 12) seq`, id)
	f.exec(`UPDATE jobs SET event_seq = 12 WHERE id = $1`, id) // 40 MB: more than lies between two sockets
	handler, ended := ending(httpapi.New(f.options))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	socket, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if _, err := fmt.Fprintf(socket, "GET %s HTTP/1.1\r\nHost: ketter\r\n\r\n", path); err != nil { // and not a byte of the answer read
		t.Fatal(err)
	}
	wait(t, "the stream's end", ended)
}

func TestAListenerWhoLeavesFreesItsPlace(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: never}
	_, path := f.running()
	handler, ended := ending(httpapi.New(f.options))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	l := listenTo(t, server.URL+path)
	l.expect("created")
	l.response.Body.Close()
	wait(t, "the stream's end", ended)
}

func TestAServicesEndEndsItsStreamsInOrder(t *testing.T) {
	f := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	f.options.Streams = httpapi.Streams{Poll: never, Stopping: ctx}
	_, path := f.running()
	socket := listen(t)
	log := &logBuffer{}
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, socket, httpapi.New(f.options), zerolog.New(log)) }()
	l := listenTo(t, "http://"+socket.Addr().String()+path)
	l.expect("created")
	l.expect("started")
	stop()
	l.ended()
	if err := <-ended; err != nil || strings.Contains(log.String(), "cut off") {
		t.Errorf("%v\n%s", err, log)
	}
	f.get(path).isProblem(t, http.StatusServiceUnavailable, "no_more_streams")
}

// With a deadline for reading on its connection, net/http ends a request's context when that has passed.
func TestAStreamOutlastsTheTimeARequestMayTake(t *testing.T) {
	f := setup(t)
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond, BeatAfter: 20 * time.Millisecond}
	id, path := f.running()
	server := httptest.NewUnstartedServer(httpapi.New(f.options))
	server.Config.ReadTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	l := listenTo(t, server.URL+path)
	l.expect("created")
	l.expect("started")
	for range 20 { // which take four times as long
		if m, err := l.next(); err != nil || m.comment == "" {
			t.Fatalf("no heartbeat: %+v, %v", m, err)
		}
	}
	f.happen(id, "published")
	l.expect("published")
}

func TestAWakeNeverWaitsForAStream(t *testing.T) {
	f := setup(t)
	hub := httpapi.NewHub()
	f.options.Streams = httpapi.Streams{Hub: hub, Poll: never}
	id, path := f.running()
	f.options.Jobs = &jobsThat{Store: f.store, after: func(looks int, err error) error {
		if looks == 1 { // the stream listens, and is busy with this
			for range 1000 {
				hub.Wake(id)
				hub.Wake(0)
				hub.Wake(id + 1)
			}
		}
		return err
	}}
	listenTo(t, f.serve()+path).expect("created")
}

func TestStreamsLookOnlySoManyAtATime(t *testing.T) {
	f := setup(t)
	_, path := f.running()
	counting := &counted{Store: f.store}
	f.options.Jobs = counting
	f.options.Streams = httpapi.Streams{Poll: time.Millisecond}
	url := f.serve() + path
	var listeners []*listener
	for range 32 {
		listeners = append(listeners, listenTo(t, url))
	}
	for _, l := range listeners {
		l.expect("created")
	}
	if most := counting.highest.Load(); most > 4 {
		t.Errorf("%d looks at a time", most)
	}
}

// counted knows how many looks there were at a time.
type counted struct {
	*db.Store
	now, highest atomic.Int64
}

func (c *counted) Follow(ctx context.Context, id, after int64, most int32) (db.Followed, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for known := c.highest.Load(); now > known && !c.highest.CompareAndSwap(known, now); known = c.highest.Load() {
	}
	return c.Store.Follow(ctx, id, after, most)
}
