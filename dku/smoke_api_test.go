package dku

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
)

// forgetful is an API that takes jobs, one a key, and whose first answer is lost.
type forgetful struct {
	mu        sync.Mutex
	keys      []string
	cancelled bool
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := "pending"
	if r.URL.Path == "/jobs" {
		f.keys = append(f.keys, r.Header.Get("Idempotency-Key"))
		if len(f.keys) == 1 {
			panic(http.ErrAbortHandler)
		}
	} else {
		f.cancelled = r.URL.Path == "/jobs/7/cancel"
		status = "cancelled"
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id": 7, "status": %q}`, status)
}

func TestAJobWhoseAnswerIsLostIsCancelled(t *testing.T) {
	t.Parallel()
	api := &forgetful{}
	server := httptest.NewServer(api)
	defer server.Close()
	p := NewProbe(t.Context(), Target{API: server.URL})
	defer p.Close()
	if _, err := p.smoke.submit(t.Context(), client.Order{SourcePath: "/a", IdempotencyKey: "k"}); err == nil {
		t.Fatal("the answer was not lost")
	}
	running := p.smoke.cancelAll(t.Context())
	api.mu.Lock()
	defer api.mu.Unlock()
	if len(running) > 0 || !api.cancelled || len(api.keys) != 2 || api.keys[0] != "k" || api.keys[1] != "k" {
		t.Errorf("%v, keys %q, cancelled: %v", running, api.keys, api.cancelled)
	}
}

func TestTheJobsGoToAWorkerThatSeesThisHostsStorages(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	here := broker.Worker{Name: "z", Host: host, Queues: []string{"here"}}
	other := broker.Worker{Name: "a", Host: "other", Queues: []string{"other"}}
	shared := broker.Worker{Name: "b", Host: "third", Queues: []string{"label", "default"}}
	for name, test := range map[string]struct {
		workers []broker.Worker
		want    string
		served  bool
	}{
		"one of this host": {[]broker.Worker{other, shared, here}, "here", true},
		"one of a queue":   {[]broker.Worker{other, shared}, "default", true},
		"elsewhere alone":  {[]broker.Worker{other}, "", false},
	} {
		p := NewProbe(t.Context(), Target{API: "http://127.0.0.1:1", Queues: []string{"default"}})
		p.noteWorkers(test.workers, time.Now())
		if queue, served := p.smoke.queue(); queue != test.want || served != test.served {
			t.Errorf("%s: %q, %v", name, queue, served)
		}
		p.Close()
	}
}
