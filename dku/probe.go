package dku

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/redact"
)

// Target is what is to be checked.
type Target struct {
	Version     string // of this ketter
	DBURL       string // empty: not known
	RedisURL    string // empty: not known
	API         string // as http://127.0.0.1:8000
	Asking      []client.Option
	Roots       []string
	FoundIn     string   // where these were found, for who wonders
	Queues      []string // where the smoke test's jobs may wait when no worker is known
	NoSmoke     bool
	SecretTexts []string // which no report may hold
}

// Probe is what the checks ask with. Nothing of it needs what it asks to be up.
type Probe struct {
	target                     Target
	redactor                   redact.Redactor
	store                      *db.Store      // nil: storeErr
	redis                      *broker.Broker // nil: redisErr
	api                        *client.Client // nil: apiErr
	storeErr, redisErr, apiErr error
	smoke                      *smoke
	scratch                    *scratch

	mu       sync.Mutex
	writable map[string]bool
	latency  map[string]time.Duration // of a small file, by root
	workers  []broker.Worker          // all that had a heartbeat
	asked    time.Time                // when they were asked for; zero: they are not known
}

// connections that the checks of the database use at once.
const connections = 4

// NewProbe makes a probe. Close it.
func NewProbe(ctx context.Context, target Target) *Probe {
	p := &Probe{target: target, writable: map[string]bool{}, latency: map[string]time.Duration{}, scratch: newScratch(),
		redactor: redact.New([]string{target.DBURL, target.RedisURL}, target.SecretTexts...)}
	if target.DBURL == "" {
		p.storeErr = fmt.Errorf("DB_URL is not set, and no running `ketter up` was found")
	} else {
		p.store, p.storeErr = db.Open(ctx, target.DBURL, connections)
	}
	if target.RedisURL == "" {
		p.redisErr = fmt.Errorf("REDIS_URL is not set, and no running `ketter up` was found")
	} else {
		p.redis, p.redisErr = broker.Open(target.RedisURL, zerolog.Nop())
	}
	p.api, p.apiErr = client.New(target.API, target.Asking...)
	p.smoke = newSmoke(p)
	return p
}

// Redactor knows the target's secrets.
func (p *Probe) Redactor() redact.Redactor { return p.redactor }

// Close ends all connections.
func (p *Probe) Close() {
	if p.store != nil {
		p.store.Close()
	}
	if p.redis != nil {
		_ = p.redis.Close() // there is nobody to tell
	}
}

func (p *Probe) noteWritable(root string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writable[root] = true
}

// writableRoots are those that could be written to, in the order of all roots.
func (p *Probe) writableRoots() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var roots []string
	for _, root := range p.target.Roots {
		if p.writable[root] {
			roots = append(roots, root)
		}
	}
	return roots
}

func (p *Probe) noteLatency(root string, each time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency[root] = each
}

// latencyOf is what a small file takes there; 0: it is not known.
func (p *Probe) latencyOf(root string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latency[root]
}

func (p *Probe) noteWorkers(workers []broker.Worker, asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers, p.asked = workers, asked
}

// workersSeen are those that had a heartbeat when they were asked for: never, where Redis could not be asked.
func (p *Probe) workersSeen() (workers []broker.Worker, asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers, p.asked
}
