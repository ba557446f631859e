package broker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/broker"
)

const password = "a-password-that-must-not-show"

// logLines is a log that is read while it is written.
type logLines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(line)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func (l *logLines) count(text string) int { return strings.Count(l.String(), text) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open makes a broker that is closed with the test.
func open(t *testing.T, address string) (*broker.Broker, *logLines) {
	t.Helper()
	lines := &logLines{}
	b, err := broker.Open("redis://:"+password+"@"+address+"/0", zerolog.New(lines))
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b, lines
}

func startMini(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	must(t, server.Start())
	t.Cleanup(server.Close)
	return server
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, listener.Close()) }()
	return listener.Addr().(*net.TCPAddr).Port
}

// startReal starts a redis-server and returns what ends it. It is ready when the broker says so.
func startReal(t *testing.T, port int) (stop func()) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("these tests need redis-server: apt install redis-server, or brew install redis")
	}
	// The password comes by standard input, where the process list doesn't show it.
	command := exec.Command(path, "-")
	command.Stdin = strings.NewReader(fmt.Sprintf("port %d\nbind 127.0.0.1\nrequirepass %s\nsave \"\"\ndir %s\n", port, password, t.TempDir()))
	must(t, command.Start())
	stop = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits for what no channel tells.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}

func next(t *testing.T, wakes <-chan broker.Wake) broker.Wake {
	t.Helper()
	select {
	case wake, open := <-wakes:
		if !open {
			t.Fatal("the subscription ended")
		}
		return wake
	case <-time.After(20 * time.Second):
		t.Fatal("no wake within 20 s")
		return broker.Wake{}
	}
}

func TestTheURLsPasswordIsInNoErrorAndNoLog(t *testing.T) {
	for _, url := range []string{"redis://:" + password + "@host:port/0", "http://:" + password + "@host", "redis://:" + password + "#@h:1/x",
		"redis://:" + password + "@127.0.0.1:1/x", password} {
		if _, err := broker.Open(url, zerolog.Nop()); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", url, err)
		}
	}
	b, lines := open(t, "127.0.0.1:"+strconv.Itoa(freePort(t)))
	err := b.Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), password) || strings.Contains(lines.String(), password) {
		t.Errorf("%v, %s", err, lines)
	}
}

func TestAHeartbeatIsJSONThatExpires(t *testing.T) {
	server := startMini(t)
	b, _ := open(t, server.Addr())
	started := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"b", "a"} {
		must(t, b.Heartbeat(t.Context(), broker.Worker{Name: name, Host: "host", PID: 7, Queues: []string{"local"}, Version: "1",
			Running: 3, StartedAt: started}))
	}
	server.Set("ketter:worker:foreign", "not json")
	if ttl := server.TTL("ketter:worker:a"); ttl != 15*time.Second {
		t.Errorf("it lives for %s", ttl)
	}
	var fields map[string]any
	value, err := server.Get("ketter:worker:a")
	must(t, err)
	must(t, json.Unmarshal([]byte(value), &fields))
	if fields["name"] != "a" || fields["pid"] != 7.0 || fields["running"] != 3.0 || fields["started_at"] != "2026-05-01T12:00:00Z" {
		t.Error(value)
	}
	workers, err := b.Workers(t.Context())
	must(t, err)
	if len(workers) != 2 || workers[0].Name != "a" || workers[1].Name != "b" || workers[0].Queues[0] != "local" || workers[0].SeenAt.IsZero() {
		t.Errorf("%+v", workers)
	}
	server.FastForward(16 * time.Second)
	if workers, err = b.Workers(t.Context()); err != nil || len(workers) != 0 {
		t.Errorf("after 16 s of silence: %+v, %v", workers, err)
	}
}

func TestManyWorkersAreAllListed(t *testing.T) {
	server := startMini(t)
	b, _ := open(t, server.Addr())
	for i := range 500 {
		must(t, b.Heartbeat(t.Context(), broker.Worker{Name: fmt.Sprintf("w%03d", i)}))
	}
	workers, err := b.Workers(t.Context())
	must(t, err)
	if len(workers) != 500 || workers[499].Name != "w499" {
		t.Errorf("%d workers", len(workers))
	}
}

func TestAWorkerThatEndsSignsOff(t *testing.T) {
	server := startMini(t)
	b, _ := open(t, server.Addr())
	ctx, cancel := context.WithCancel(t.Context())
	done, beats := make(chan struct{}), 0
	go func() {
		defer close(done)
		b.RunHeartbeat(ctx, 5*time.Millisecond, func() broker.Worker {
			if beats++; beats == 3 {
				cancel()
			}
			return broker.Worker{Name: "w"}
		})
	}()
	eventually(t, "the first beat", func() bool { return server.Exists("ketter:worker:w") || ctx.Err() != nil })
	<-done
	if beats < 3 || server.Exists("ketter:worker:w") {
		t.Errorf("after %d beats its key exists: %v", beats, server.Exists("ketter:worker:w"))
	}
}

func TestWakesArriveInOrder(t *testing.T) {
	server := startMini(t)
	b, lines := open(t, server.Addr())
	wakes := b.Subscribe(t.Context())
	if first := next(t, wakes); first != (broker.Wake{}) {
		t.Fatalf("a subscription begins with %+v", first)
	}
	for seq := range int64(100) {
		b.Publish(42, seq, "started")
	}
	for seq := range int64(100) {
		if wake := next(t, wakes); wake != (broker.Wake{JobID: 42, Seq: seq, Kind: "started"}) {
			t.Fatalf("instead of %d: %+v", seq, wake)
		}
	}
	server.Publish(broker.Channel, "not json")
	server.Publish(broker.Channel, `{"job_id":1,"seq":2,"kind":"finished"}`)
	if wake := next(t, wakes); wake != (broker.Wake{JobID: 1, Seq: 2, Kind: "finished"}) {
		t.Errorf("after a foreign message: %+v", wake)
	}
	if lines.String() != "" {
		t.Error(lines)
	}
}

func TestCloseSendsWhatWaitsAndEndsSubscriptions(t *testing.T) {
	server := startMini(t)
	listener, _ := open(t, server.Addr())
	wakes := listener.Subscribe(t.Context())
	next(t, wakes)
	b, err := broker.Open("redis://:"+password+"@"+server.Addr(), zerolog.Nop())
	must(t, err)
	own := b.Subscribe(t.Context())
	for seq := range int64(50) {
		b.Publish(1, seq, "progress")
	}
	must(t, b.Close())
	for seq := range int64(50) {
		if wake := next(t, wakes); wake.Seq != seq {
			t.Fatalf("instead of %d: %+v", seq, wake)
		}
	}
	for range own { // ends
	}
	b.Publish(1, 51, "after Close nothing happens, nor is anything harmed")
}

func TestASubscriptionEndsWithItsContext(t *testing.T) {
	b, _ := open(t, startMini(t).Addr())
	ctx, cancel := context.WithCancel(t.Context())
	wakes := b.Subscribe(ctx)
	next(t, wakes)
	cancel()
	for range wakes {
	}
}
