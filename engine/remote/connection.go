package remote

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// keepAliveRequest is what OpenSSH's own client asks; any answer will do, also that nobody knows it.
const keepAliveRequest = "keepalive@openssh.com"

// connection is one that the host has let its user in on.
type connection struct {
	host   *Host
	wire   net.Conn
	ssh    ssh.Conn
	asked  <-chan *ssh.Request   // what the host wants of us: nothing that it gets
	opened <-chan ssh.NewChannel // likewise

	// Guarded by host.mu.
	processes int
	limit     int // of processes, when the host has refused more; 0 when it hasn't
	idleSince time.Time

	once  sync.Once
	lost  chan struct{} // closed when it is of no use any more
	cause error         // of that; read it once lost is closed

	mu    sync.Mutex
	over  bool // nothing may be begun any more
	group sync.WaitGroup
}

func newConnection(h *Host, wire net.Conn, conn ssh.Conn, opened <-chan ssh.NewChannel, asked <-chan *ssh.Request) *connection {
	return &connection{host: h, wire: wire, ssh: conn, asked: asked, opened: opened, idleSince: time.Now(), lost: make(chan struct{})}
}

// run keeps the connection until it is lost, killed or idle, and returns when nothing of it is left.
func (c *connection) run() {
	c.group.Go(func() { ssh.DiscardRequests(c.asked) })
	c.group.Go(func() {
		for channel := range c.opened {
			_ = channel.Reject(ssh.Prohibited, "") // when it can't be told, it is lost anyway
		}
	})
	c.group.Go(func() { c.kill(c.ssh.Wait()) })
	c.keep()
	c.host.drop(c)
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.group.Wait()
}

// begin runs fn beside, unless the connection has been lost for good.
func (c *connection) begin(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.group.Go(fn)
	}
	return !c.over
}

// keep asks again and again whether the host is there.
func (c *connection) keep() {
	ticker := time.NewTicker(c.host.options.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-c.lost:
			return
		case <-ticker.C:
		}
		if c.host.isIdle(c) {
			c.kill(errors.New("it was idle"))
			return
		}
		c.prove()
	}
}

// prove kills the connection when the host doesn't answer.
func (c *connection) prove() {
	answer := make(chan error, 1)
	c.group.Go(func() { answer <- c.ping() })
	silence := time.NewTimer(c.host.options.KeepAlive * time.Duration(c.host.options.Misses))
	defer silence.Stop()
	select {
	case err := <-answer:
		if err != nil {
			c.kill(err)
		}
	case <-silence.C:
		c.kill(errors.New("the host is silent"))
	case <-c.lost:
	}
}

func (c *connection) ping() error {
	_, _, err := c.ssh.SendRequest(keepAliveRequest, true, nil)
	return err
}

// kill ends the connection, and with it whatever waits for it.
func (c *connection) kill(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.lost)
		_ = c.wire.Close() // at once: SSH's own Close would wait for a write that is stuck
	})
}

func (c *connection) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

// lostError is what reads, writes and starts fail with once the connection is lost.
func (c *connection) lostError() error {
	var cause error
	select {
	case <-c.lost:
		cause = c.cause
	default: // SSH knows it before we are told
	}
	return c.host.unreachable("the connection was lost", cause)
}

// start waits for the host's answer no longer than ctx.
func (c *connection) start(ctx context.Context, command Command) (*process, error) {
	type result struct {
		p   *process
		err error
	}
	done := make(chan result)
	abandoned := make(chan struct{})
	begun := c.begin(func() {
		p, err := c.open(command)
		select {
		case done <- result{p, err}:
		case <-abandoned:
			if p != nil {
				_ = p.Close()
			}
		}
	})
	if !begun {
		return nil, c.lostError()
	}
	select {
	case r := <-done:
		if r.p != nil {
			r.p.granted()
		}
		return r.p, r.err
	case <-ctx.Done():
		close(abandoned)
		return nil, c.host.unreachable("it starts no program in time", ctx.Err())
	}
}

// session opens a session. x/crypto/ssh waits for ever for the answer when the connection is lost in the very moment of the
// question; that goroutine is left to itself, since nothing can end it, and holds nothing but its stack.
func (c *connection) session() (ssh.Channel, <-chan *ssh.Request, error) {
	type result struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	answer := make(chan result, 1)
	go func() {
		channel, requests, err := c.ssh.OpenChannel("session", nil)
		answer <- result{channel, requests, err}
	}()
	select {
	case r := <-answer:
		return r.channel, r.requests, r.err
	case <-c.lost:
		return nil, nil, c.lostError()
	}
}

// open opens a session and asks for the program.
func (c *connection) open(command Command) (*process, error) {
	channel, requests, err := c.session()
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, errFull
	}
	if err != nil {
		return nil, c.lostError()
	}
	p := newProcess(c, channel, requests)
	kind, text := "exec", command.Line
	if command.Subsystem != "" {
		kind, text = "subsystem", command.Subsystem
	}
	granted, err := channel.SendRequest(kind, true, ssh.Marshal(struct{ Text string }{text}))
	if err == nil && granted {
		return p, nil
	}
	_ = p.Close()
	if err != nil {
		return nil, c.lostError()
	}
	return nil, ErrRefused
}
