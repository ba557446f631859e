package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// connect starts an agent. Errors that tell of something else than an agent are ErrNoAgent or ErrVersion.
func connect(ctx context.Context, starter remote.Starter, o *Options) (*conn, error) {
	line, err := firstLine(o.AgentPath)
	if err != nil {
		return nil, err
	}
	process, err := starter.Start(ctx, Command)
	if err != nil {
		if errors.Is(err, remote.ErrRefused) {
			return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
		}
		return nil, err
	}
	c := &conn{process: process, born: time.Now(), in: bufio.NewReaderSize(process, 64<<10), out: newFrameWriter(process),
		window: semaphore.NewWeighted(window), gone: make(chan struct{}), waiting: map[uint32]*call{}}
	if err := c.greet(ctx, line, o.Greeting); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	go c.read() // ends with the process
	go c.attend(o.Ping, o.GiveUp)
	return c, nil
}

// greet waits for the banner, and ends a process that has none.
func (c *conn) greet(ctx context.Context, line string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.process.Close() })
	_, written := io.WriteString(c.process, line)
	banner, said, err := readBanner(c.in)
	c.banner = banner
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err == nil {
		return written
	}
	return errors.Join(c.noAgent(ctx, said, err), c.process.Close())
}

// noAgent says why there is none, with what the process complained.
func (c *conn) noAgent(ctx context.Context, said string, err error) error {
	var coded *failure.Error
	if errors.As(err, &coded) {
		return err
	}
	if ctx.Err() != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return fmt.Errorf("%w: it said nothing in time but %q", ErrNoAgent, said)
	}
	var none *NoneError
	var exit *remote.ExitError
	if errors.As(err, &none) || errors.Is(err, ErrVersion) || said != "" {
		return err
	}
	if ended := c.process.Wait(); errors.As(ended, &exit) {
		return fmt.Errorf("%w: %w", ErrNoAgent, ended)
	}
	return fmt.Errorf("%w: %w", ErrNoAgent, err)
}
