// Package testnet is a network for tests: the delaying proxy on the loopback interface, which ends with the test. It knows
// nothing of what it carries.
package testnet

import (
	"net"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/delayproxy"
)

// Proxy passes connections on to a server, and does to them what it is told.
type Proxy struct {
	*delayproxy.Proxy
	t testing.TB
}

// NewProxy makes one in front of target, a host and port, where every byte takes delay in each direction. It ends with the
// test.
func NewProxy(t testing.TB, target string, delay time.Duration) *Proxy {
	t.Helper()
	p, err := delayproxy.Listen("127.0.0.1:0", target, delay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Proxy{p, t}
}

// Port is where it listens, on 127.0.0.1.
func (p *Proxy) Port() int {
	p.t.Helper()
	address, err := net.ResolveTCPAddr("tcp", p.Address())
	if err != nil {
		p.t.Fatal(err)
	}
	return address.Port
}

// Restore ends whatever was done.
func (p *Proxy) Restore() {
	p.t.Helper()
	if err := p.Proxy.Restore(); err != nil {
		p.t.Fatal(err)
	}
}
