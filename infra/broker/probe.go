package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

const (
	probeKey     = "ketter:dku:"     // of keys that live for probeTTL at most
	probeChannel = "ketter:dku:echo" // which nobody else listens to
	probeTTL     = 300 * time.Millisecond
	probeEvery   = 20 * time.Millisecond
)

// TryKey writes a key that expires, reads it, and waits until it has expired, which a Redis must do for heartbeats to mean
// something. ctx bounds the wait. No key is left.
func (b *Broker) TryKey(ctx context.Context) error {
	key, value := probeKey+rand.Text(), rand.Text()
	err := b.call(ctx, "write and read", func(ctx context.Context) error {
		if err := b.client.Set(ctx, key, value, probeTTL).Err(); err != nil {
			return err
		}
		read, err := b.client.Get(ctx, key).Result()
		if err == nil && read != value {
			err = errors.New("what was written is not what was read")
		}
		return err
	})
	for exists := int64(1); err == nil && exists > 0; {
		if !pause(ctx, probeEvery) {
			return errors.New("a key with a lifetime does not expire")
		}
		err = b.call(ctx, "expire", func(ctx context.Context) (err error) {
			exists, err = b.client.Exists(ctx, key).Result()
			return err
		})
	}
	return err
}

// TryEcho publishes something and waits until a subscription of its own hears it.
func (b *Broker) TryEcho(ctx context.Context) error {
	return b.call(ctx, "publish and subscribe", func(ctx context.Context) error {
		subscription := b.client.Subscribe(ctx, probeChannel)
		defer func() { _ = subscription.Close() }()
		if _, err := subscription.Receive(ctx); err != nil { // that it is subscribed
			return err
		}
		said := rand.Text()
		if err := b.client.Publish(ctx, probeChannel, said).Err(); err != nil {
			return err
		}
		for {
			message, err := subscription.ReceiveMessage(ctx)
			if err != nil || message.Payload == said {
				return err
			}
		}
	})
}
