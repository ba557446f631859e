package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	adoptTimeout = 10 * time.Second // to answer: it may be recovering
	endTimeout   = 20 * time.Second // to end in order, when it did not answer
	watchEvery   = 250 * time.Millisecond
)

// adopt takes over the server that a killed owner left alive, or ends it when it doesn't answer with our password. It
// returns nil when there is none.
func (c *cluster) adopt(ctx context.Context) (*Postgres, error) {
	state := readPIDFile(c.dataDir)
	if !state.names(ctx, c.dataDir) {
		return nil, c.removeRecycled(ctx, state)
	}
	p := c.newPostgres(state.pid, state.port, serverLog{path: logPath(c.stateDir)})
	p.description.Adopted = true
	watchCtx, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	go p.watch(watchCtx, unwatch, state.dataDir)
	answerCtx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	err := c.waitReady(answerCtx, p)
	if err == nil {
		return p, nil
	}
	if ctx.Err() != nil { // it stays for the next owner
		unwatch()
		<-p.done
		return nil, ctx.Err()
	}
	c.log.Warn().Int("pid", state.pid).Err(err).Msg("A PostgreSQL that was left alive does not answer; it is ended and a new one started")
	return nil, c.end(ctx, p)
}

func (c *cluster) end(ctx context.Context, p *Postgres) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		return fmt.Errorf("%w; end it by hand and try again", err)
	}
	return nil
}

// watch closes done when the server, which is not our child, is gone, or ctx ends. Stop waits for it.
func (p *Postgres) watch(ctx context.Context, cancel context.CancelFunc, dataDir string) {
	defer close(p.done)
	defer cancel()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for runsOn(commandLine(ctx, p.description.PID), dataDir) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
	if !p.stopping.Load() {
		p.err = fmt.Errorf("PostgreSQL (pid %d) ended by itself: see %s", p.description.PID, p.description.LogPath)
	}
}

// signaller sends to a process that need not be our child.
func signaller(pid int) func(unix.Signal) error {
	return func(signal unix.Signal) error {
		if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		return nil
	}
}
