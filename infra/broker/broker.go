// Package broker is Ketter's one door to Redis: the heartbeat of each worker, and the wake-ups that follow committed events.
//
// Redis is a convenience here. Nothing that it holds or says is ever the truth (that is PostgreSQL's), no job waits for it,
// and none fails by it: calls are bounded by a second, Publish doesn't even wait for that, and a Redis that is down is
// logged once when it goes and once when it is back. The password in its URL is never logged nor part of an error.
package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
)

const (
	ioTimeout   = 500 * time.Millisecond // for a dial, and for each read or write
	callTimeout = time.Second            // for a whole call
)

// Broker talks to one Redis. Its methods may be called from several goroutines.
type Broker struct {
	client   *redis.Client
	health   *health
	fanout   *fanout
	stop     context.CancelFunc
	stopping context.Context // of the goroutines that Close waits for
	running  sync.WaitGroup
}

// Open makes a broker for url (redis://[:password@]host:port[/db], or rediss:// for TLS). Redis need not be up. Close it.
func Open(url string, log zerolog.Logger) (*Broker, error) {
	options, err := redis.ParseURL(url)
	if err != nil { // err quotes the URL, and with it the password
		return nil, errors.New("REDIS_URL is not of the form redis://[:password@]host:port[/database] (rediss:// for TLS)")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = ioTimeout, ioTimeout, ioTimeout
	options.PoolTimeout = callTimeout
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // a retry only makes the caller wait longer
	options.DialerRetries = 1
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // the library's own lines, one per failed attempt; health says it once

	b := &Broker{client: redis.NewClient(options), health: &health{log: log, address: options.Addr}, fanout: newFanout()}
	b.stopping, b.stop = context.WithCancel(context.Background())
	b.running.Go(func() { b.fanout.run(b.stopping, b.publishNow) })
	return b, nil
}

// Close sends what still waits, for at most a second, ends all subscriptions and waits until nothing runs any more.
func (b *Broker) Close() error {
	b.stop()
	b.running.Wait()
	return b.client.Close()
}

// Ping says whether Redis answers.
func (b *Broker) Ping(ctx context.Context) error {
	return b.call(ctx, "ping", func(ctx context.Context) error { return b.client.Ping(ctx).Err() })
}

// call bounds one exchange with Redis and takes note of how it went.
func (b *Broker) call(ctx context.Context, what string, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := do(bounded)
	if ctx.Err() == nil { // a caller that gave up says nothing about Redis
		b.health.note(err)
	}
	if err != nil {
		return fmt.Errorf("redis %s: %w", what, err)
	}
	return nil
}

// health logs when Redis goes and when it is back, and nothing in between.
type health struct {
	log     zerolog.Logger
	address string
	mu      sync.Mutex
	down    bool
}

func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch down := err != nil; {
	case down && !h.down:
		h.log.Warn().Err(err).Str("redis", h.address).
			Msg("Redis does not answer: jobs go on, heartbeats and live events pause until it is back")
	case !down && h.down:
		h.log.Info().Str("redis", h.address).Msg("Redis is back")
	}
	h.down = err != nil
}
