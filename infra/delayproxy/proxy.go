// Package delayproxy is a link with latency: a TCP proxy that passes every byte on a given time after it came, in either
// direction, and does to connections what networks do. It never limits how much passes in a second, and never alters, drops
// or reorders a byte of a connection that lives. It is for tests and benchmarks, where the kernel has no `tc netem`.
//
//	proxy.go   who is connected, and what is done to them
//	link.go    one connection, and its continuation to the target
//	delay.go   one direction of it: bytes wait until they are due
package delayproxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout bounds the way to the target, which is near.
const dialTimeout = 10 * time.Second

// Proxy is a listener and the connections it took.
type Proxy struct {
	// Up and Down count the bytes that were passed on to the target, and from it; Taken the connections that were accepted.
	Up, Down, Taken atomic.Int64

	target  string
	address string
	delay   atomic.Int64 // time.Duration, one way

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]bool
	open     chan struct{} // closed while bytes pass

	all sync.WaitGroup
}

// Listen makes a proxy at address (as 127.0.0.1:0) in front of target. Bytes take delay for each way, so that a round trip
// takes twice as long.
func Listen(address, target string, delay time.Duration) (*Proxy, error) {
	p := &Proxy{target: target, address: address, links: map[*link]bool{}, open: make(chan struct{})}
	close(p.open)
	p.SetDelay(delay)
	return p, p.Restore()
}

// Address is where it listens, the same one also after Refuse and Restore.
func (p *Proxy) Address() string { return p.address }

// SetDelay alters what each way takes, for what comes from now on.
func (p *Proxy) SetDelay(delay time.Duration) { p.delay.Store(int64(delay)) }

// Links is how many connections there are.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Cut resets all connections, and what is under way in them is lost. New ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Refuse resets all connections and takes no new ones until Restore.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close() // there is nothing to lose
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Swallow takes connections and bytes and passes none on, as a network that is split. Restore delivers them, late; what was
// cut before then is never delivered.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// Restore ends what Refuse and Swallow began.
func (p *Proxy) Restore() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	if p.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.address, p.listener = listener.Addr().String(), listener
	p.all.Go(func() { p.accept(listener) })
	return nil
}

// Close ends all connections and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.Refuse()
	p.all.Wait()
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // it was closed
		}
		p.Taken.Add(1)
		l := &link{proxy: p, client: client.(*net.TCPConn), gone: make(chan struct{})}
		p.mu.Lock()
		refusing := p.listener != listener
		p.links[l] = true
		p.mu.Unlock()
		if refusing { // since it was accepted
			l.reset()
		}
		p.all.Go(l.run)
	}
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// passing is closed while bytes may pass.
func (p *Proxy) passing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *Proxy) oneWay() time.Duration { return time.Duration(p.delay.Load()) }
