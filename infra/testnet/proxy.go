// Package testnet is a network for tests: a proxy on the loopback interface that delays, cuts, swallows and refuses as
// networks do, and counts what passes. It knows nothing of what it carries.
package testnet

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes connections on to a server, and does to them what it is told.
type Proxy struct {
	t      testing.TB
	target string
	delay  time.Duration

	// Up and Down count the bytes that were passed on to the server, and to clients.
	Up, Down atomic.Int64
	// Taken counts the connections that were accepted.
	Taken atomic.Int64
	drop  atomic.Int64 // so many are closed at once

	mu       sync.Mutex
	address  string
	listener net.Listener // nil while connections are refused
	links    map[*link]bool
	open     chan struct{} // closed while bytes pass
	all      sync.WaitGroup
}

// NewProxy makes one in front of target, a host and port, where every byte takes delay in each direction. It ends with the
// test.
func NewProxy(t testing.TB, target string, delay time.Duration) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, delay: delay, address: "127.0.0.1:0", links: map[*link]bool{}, open: make(chan struct{})}
	close(p.open)
	p.listen()
	t.Cleanup(func() {
		p.Refuse()
		p.all.Wait()
	})
	return p
}

// Port is where it listens, on 127.0.0.1.
func (p *Proxy) Port() int {
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		p.t.Fatal(err)
	}
	return number
}

func (p *Proxy) listen() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.address, p.listener = listener.Addr().String(), listener
	p.all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.Taken.Add(1)
			if p.drop.Add(-1) >= 0 {
				_ = client.Close()
				continue
			}
			p.all.Go(func() { p.connect(client) })
		}
	})
}

func (p *Proxy) connect(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client.(*net.TCPConn), server: server.(*net.TCPConn), gone: make(chan struct{})}
	p.mu.Lock()
	refusing := p.listener == nil
	p.links[l] = true
	p.mu.Unlock()
	if refusing { // since it was accepted
		l.reset()
	}
	p.all.Go(func() { p.pass(l, l.client, l.server, &p.Up) })
	p.pass(l, l.server, l.client, &p.Down)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// piece is what was read at once, and when it may go on.
type piece struct {
	bytes []byte
	due   time.Time
}

// pass reads on while what was read before is still on its way: a long network holds many bytes.
func (p *Proxy) pass(l *link, from, to *net.TCPConn, count *atomic.Int64) {
	const inFlight = 1 << 10 // pieces
	way := make(chan piece, inFlight)
	p.all.Go(func() {
		defer close(way)
		for {
			buffer := make([]byte, 64<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case way <- piece{buffer[:n], time.Now().Add(p.delay)}:
				case <-l.gone:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	defer l.close()
	for piece := range way {
		if !p.wait(l, piece.due) {
			return
		}
		if _, err := to.Write(piece.bytes); err != nil {
			return
		}
		count.Add(int64(len(piece.bytes)))
	}
}

// wait reports whether the bytes may go on now.
func (p *Proxy) wait(l *link, due time.Time) bool {
	if late := time.Until(due); late > 0 {
		time.Sleep(late)
	}
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	select {
	case <-open:
		return true
	case <-l.gone:
		return false
	}
}

// Cut resets all connections; new ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Drop takes the next n connections and ends each at once, before a byte has passed.
func (p *Proxy) Drop(n int) { p.drop.Store(int64(n)) }

// Refuse resets all connections and takes no new ones, until Restore.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Swallow takes connections and bytes and passes none on, as a network that is split. Restore delivers them, late; what
// was cut before then is never delivered.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// Restore ends whatever was done.
func (p *Proxy) Restore() {
	p.t.Helper()
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

// Links is how many connections there are.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// link is a connection and its continuation.
type link struct {
	client, server *net.TCPConn
	gone           chan struct{}
	once           sync.Once
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// reset ends a connection as a firewall does: at once, whatever was under way.
func (l *link) reset() {
	_ = l.client.SetLinger(0) // it may be closed already
	_ = l.server.SetLinger(0)
	l.close()
}
