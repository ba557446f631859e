package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// healthCheck is after how much silence a subscription asks whether Redis is still there.
const healthCheck = 2 * time.Second

// Subscribe returns the wakes of all jobs until ctx ends or the broker is closed, then closes the channel. It doesn't need
// Redis to be up: it connects when it can, and again after every loss, and says so by a zero Wake.
func (b *Broker) Subscribe(ctx context.Context) <-chan Wake {
	wakes := make(chan Wake, queueSize)
	b.running.Go(func() {
		defer close(wakes)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(b.stopping, cancel)()
		for ctx.Err() == nil {
			if err := b.listen(ctx, wakes); err != nil {
				b.health.note(err)
			}
			pause(ctx, retryAfter)
		}
	})
	return wakes
}

// listen passes on wakes until the connection is lost or ctx ends; then it returns nil.
func (b *Broker) listen(ctx context.Context, wakes chan<- Wake) error {
	subscription := b.client.Subscribe(ctx, Channel)
	defer func() { _ = subscription.Close() }()
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })() // nothing else interrupts a read
	for {
		message, err := receive(ctx, subscription)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("redis subscribe: %w", err)
		}
		b.health.note(nil)
		if !pass(ctx, message, wakes) {
			return nil
		}
	}
}

// receive waits for the next message. When there is none for a while it asks for one, to tell a silent Redis from a lost one.
func receive(ctx context.Context, subscription *redis.PubSub) (any, error) {
	message, err := subscription.ReceiveTimeout(ctx, healthCheck)
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		return message, err
	}
	if err := subscription.Ping(ctx); err != nil {
		return nil, err
	}
	return subscription.ReceiveTimeout(ctx, callTimeout)
}

// pass says whether to go on.
func pass(ctx context.Context, message any, wakes chan<- Wake) bool {
	var wake Wake
	switch message := message.(type) {
	case *redis.Subscription: // from now on nothing is missed; the zero Wake covers what was
	case *redis.Message:
		if json.Unmarshal([]byte(message.Payload), &wake) != nil {
			return true // not ours
		}
	default: // a pong
		return true
	}
	select {
	case wakes <- wake:
		return true
	case <-ctx.Done():
		return false
	}
}
