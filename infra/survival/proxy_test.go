package survival

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between processes and their database, and does to connections what networks do.
type proxy struct {
	*testing.T
	target  string
	address string

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]bool
	open     chan struct{} // closed while bytes pass
	kept     atomic.Int64  // what waits for that

	all sync.WaitGroup
}

// link is a connection and its continuation.
type link struct {
	client, server *net.TCPConn
	gone           chan struct{}
	once           sync.Once
}

// newProxy makes one in front of the server that a database's URL names.
func newProxy(t *testing.T, database string) *proxy {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	p := &proxy{T: t, target: u.Host, address: "127.0.0.1:0", links: map[*link]bool{}, open: make(chan struct{})}
	close(p.open)
	p.listen()
	t.Cleanup(func() {
		p.refuse()
		p.all.Wait()
	})
	return p
}

// to is a database's URL by way of the proxy.
func (p *proxy) to(database string) string {
	u, err := url.Parse(database)
	must(p.T, err)
	u.Host = p.address
	return u.String()
}

func (p *proxy) listen() {
	p.Helper()
	listener, err := net.Listen("tcp", p.address)
	must(p.T, err)
	p.address, p.listener = listener.Addr().String(), listener
	p.all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.connect(client.(*net.TCPConn)) })
		}
	})
}

// connect passes bytes both ways until either side ends.
func (p *proxy) connect(client *net.TCPConn) {
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		client.Close()
		return
	}
	l := &link{client: client, server: server.(*net.TCPConn), gone: make(chan struct{})}
	p.mu.Lock()
	refusing := p.listener == nil
	p.links[l] = true
	p.mu.Unlock()
	if refusing { // since it was accepted
		l.reset()
	}
	p.all.Go(func() { p.pass(l, l.client, l.server) })
	p.pass(l, l.server, l.client)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *proxy) pass(l *link, from, to *net.TCPConn) {
	defer l.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		open := p.open
		p.mu.Unlock()
		p.kept.Add(1)
		select {
		case <-open:
			_, err = to.Write(buffer[:n])
		case <-l.gone:
			err = net.ErrClosed
		}
		p.kept.Add(-1)
		if err != nil {
			return
		}
	}
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.client.Close()
		l.server.Close()
	})
}

// reset ends a connection as a firewall does: at once, whatever was under way.
func (l *link) reset() {
	_ = l.client.SetLinger(0) // it may be closed already
	_ = l.server.SetLinger(0)
	l.close()
}

// cut resets all connections; new ones are taken.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// refuse resets all connections and takes no new ones, until restore.
func (p *proxy) refuse() {
	p.mu.Lock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.cut()
}

// swallow takes connections and bytes and passes none on, as a network that is split. restore delivers them, late; what
// was cut before then is never delivered.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// restore ends whatever was done.
func (p *proxy) restore() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	if p.listener == nil {
		p.listen()
	}
}

// delivered waits until what was kept back has gone on.
func (p *proxy) delivered() {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); p.kept.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatal("nobody takes what was kept back")
		}
	}
}

func (p *proxy) swallows() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		return false
	default:
		return true
	}
}
