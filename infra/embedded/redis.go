package embedded

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisTick is how often the clock of miniredis is advanced: it has none of its own, and keys would never expire.
const redisTick = 250 * time.Millisecond

// Redis is a Redis in this process. What it holds is gone when it stops.
type Redis struct {
	url    string
	cancel context.CancelFunc
	done   chan struct{}
}

// StartRedis starts one on a free port of 127.0.0.1. It ends by Stop, or with ctx.
func StartRedis(ctx context.Context) (*Redis, error) {
	password, err := newPassword()
	if err != nil {
		return nil, err
	}
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("can't start the embedded Redis: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	address := url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: server.Addr(), Path: "/0"}
	r := &Redis{url: address.String(), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx, server)
	return r, nil
}

func (r *Redis) run(ctx context.Context, server *miniredis.Miniredis) {
	defer close(r.done)
	defer server.Close()
	ticker := time.NewTicker(redisTick)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// URL is where it answers. It contains the password: never log it.
func (r *Redis) URL() string { return r.url }

// Stop ends it and waits until it is gone.
func (r *Redis) Stop() {
	r.cancel()
	<-r.done
}
