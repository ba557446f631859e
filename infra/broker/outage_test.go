package broker_test

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/broker"
)

func TestAnOutageOfRedisIsLoggedOnceAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	stop := startReal(t, port)
	b, lines := open(t, "127.0.0.1:"+strconv.Itoa(port))
	wakes := b.Subscribe(t.Context())
	for next(t, wakes) != (broker.Wake{}) {
	}
	b.Publish(1, 1, "started")
	if wake := next(t, wakes); wake.Seq != 1 {
		t.Fatalf("%+v", wake)
	}
	before := lines.count("Redis is back") // it may have been asked before it was up

	stop()
	begun := time.Now()
	for seq := range int64(5000) { // more than wait
		b.Publish(1, seq, "started")
	}
	if took := time.Since(begun); took > 500*time.Millisecond {
		t.Errorf("publishing to a dead Redis took %s", took)
	}
	if err := b.Ping(t.Context()); err == nil {
		t.Error("a dead Redis answers")
	}
	if err := b.Heartbeat(t.Context(), broker.Worker{Name: "w"}); err == nil {
		t.Error("a dead Redis takes a heartbeat")
	}
	down := lines.count("does not answer")

	startReal(t, port)
	eventually(t, "Redis is back", func() bool { return lines.count("Redis is back") > before })
	b.Publish(9, 9, "finished")
	gap := false
	for wake := next(t, wakes); wake.JobID != 9; wake = next(t, wakes) {
		gap = gap || wake == broker.Wake{}
	}
	if !gap {
		t.Error("the subscription hides that it missed something")
	}
	if back := lines.count("Redis is back"); down-before != 1 || back-before != 1 || lines.count("does not answer") != down {
		t.Errorf("not one line for the outage and one for its end:\n%s", lines)
	}
}

// A Redis that accepts connections and says nothing is the worst kind of down.
func TestASilentRedisHoldsUpNobodyForLong(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
		}
	})
	defer accepting.Wait()
	defer func() { must(t, listener.Close()) }()

	lines := &logLines{}
	b, err := broker.Open("redis://:"+password+"@"+listener.Addr().String(), zerolog.New(lines))
	must(t, err)
	begun := time.Now()
	if err := b.Ping(t.Context()); err == nil {
		t.Error("a silent Redis answers")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("one call took %s", took)
	}
	begun = time.Now()
	for seq := range int64(5000) {
		b.Publish(1, seq, "started")
	}
	if took := time.Since(begun); took > 500*time.Millisecond {
		t.Errorf("publishing took %s", took)
	}
	wakes := b.Subscribe(t.Context())
	begun = time.Now()
	must(t, b.Close())
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
	if wake, open := <-wakes; open {
		t.Errorf("a silent Redis sent %+v", wake)
	}
	if lines.count("\n") != 1 {
		t.Errorf("not one line:\n%s", lines)
	}
}
