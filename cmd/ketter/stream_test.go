package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/testdb"
)

// kinds sends the kinds of a job's live events until the stream ends.
func kinds(t *testing.T, url string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	found := make(chan string)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(found)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if kind, is := strings.CutPrefix(lines.Text(), "event: "); is && kind != "progress" {
				select {
				case found <- kind:
				case <-ctx.Done():
				}
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		response.Body.Close()
		reading.Wait()
	})
	return found
}

func TestLiveEventsComeWithRedisAndWithout(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redis := miniredis.RunT(t)
	s := setup(t, dbURL, "redis://"+redis.Addr())
	for _, name := range []string{"with", "without"} {
		if name == "without" {
			redis.Close()
		}
		source := filepath.Join(s.root, name)
		makeFolder(t, source, 3)
		posted := s.post(map[string]string{"source_path": source, "destination_path": filepath.Join(s.root, "out"), "mode": "copy"})
		var all []string
		for kind := range kinds(t, fmt.Sprintf("%s/jobs/%d/events", s.url, posted.ID)) {
			all = append(all, kind)
		}
		var want []string
		for _, event := range s.finished(posted.ID).Events {
			want = append(want, event.Kind)
		}
		if fmt.Sprint(all) != fmt.Sprint(append(want, "end")) {
			t.Errorf("%s Redis: live %v, in the detail %v", name, all, want)
		}
	}
}

func TestAWakeOnRedisReachesAStream(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	redis, err := broker.Open("redis://"+miniredis.RunT(t).Addr(), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	hub := httpapi.NewHub()
	var passing sync.WaitGroup
	passing.Go(func() { passWakes(redis.Subscribe(t.Context()), hub) })
	t.Cleanup(func() { // after the server's
		_ = redis.Close()
		passing.Wait()
	})
	server := httptest.NewServer(httpapi.New(httpapi.Options{
		Jobs: store, Streams: httpapi.Streams{Hub: hub, Poll: 24 * time.Hour},
	}))
	t.Cleanup(server.Close)

	var id int64
	err = store.Pool().QueryRow(t.Context(),
		`INSERT INTO jobs (mode, source_path, destination_path) VALUES ('copy', '/a', '/b') RETURNING id`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	live := kinds(t, fmt.Sprintf("%s/jobs/%d/events", server.URL, id))
	for _, kind := range []transfer.EventKind{"created", "started", "published"} {
		seq, err := db.New(store.Pool()).AddEvent(t.Context(), db.AddEventParams{
			JobID: id, Kind: kind, Message: "m", Payload: []byte("{}"),
		})
		if err != nil {
			t.Fatal(err)
		}
		redis.Publish(id, seq, string(kind))
		if got := <-live; got != string(kind) {
			t.Fatalf("%q came", got)
		}
	}
}
