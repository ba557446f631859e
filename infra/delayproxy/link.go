package delayproxy

import (
	"net"
	"sync"
	"time"
)

// link is a connection and its continuation to the target.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	gone   chan struct{} // closed when it is over

	mu     sync.Mutex
	server *net.TCPConn // nil until the target has answered
	over   bool
}

// run passes bytes both ways until both sides have said all, or either is gone.
func (l *link) run() {
	defer l.proxy.forget(l)
	defer l.end(false)
	// TCP's own handshake takes a round trip before the client may speak. The kernel has made it without the delay.
	if !l.wait(2*l.proxy.oneWay()) || !l.dial() {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pass(l.client, l.server, &l.proxy.Up) })
	both.Go(func() { l.pass(l.server, l.client, &l.proxy.Down) })
	both.Wait()
}

func (l *link) dial() bool {
	select {
	case <-l.proxy.passing():
	case <-l.gone:
		return false
	}
	server, err := net.DialTimeout("tcp", l.proxy.target, dialTimeout)
	if err != nil {
		l.reset() // as a host does at whose port nobody listens
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server.(*net.TCPConn)
	if l.over {
		_ = l.server.Close() // nothing was said yet
	}
	return !l.over
}

// wait returns false when the link is over before.
func (l *link) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}

// reset ends the link as a firewall does: at once, whatever is under way.
func (l *link) reset() { l.end(true) }

func (l *link) end(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.gone)
	for _, conn := range []*net.TCPConn{l.client, l.server} {
		if conn == nil {
			continue
		}
		if reset {
			_ = conn.SetLinger(0) // the peer may have ended it already
		}
		_ = conn.Close() // all that was due has been written
	}
}
