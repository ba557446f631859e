package remote

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Options are the times and numbers of Hosts. Whatever is zero gets what is said beside it.
type Options struct {
	Connect   time.Duration // for TCP: 10 s
	Handshake time.Duration // for SSH, until the user is let in: 20 s
	KeepAlive time.Duration // between questions whether the host is still there: 5 s
	Misses    int           // that many KeepAlives without an answer end a connection: 3
	Idle      time.Duration // a connection without processes is kept for: 10 s, after the minute that package portal keeps those
	Grace     time.Duration // for a program to end that is told to; then its connection goes: 3 s
	Dials     int           // under way at once, to one host: 4. sshd drops some from 10 on (MaxStartups)
	Tries     int           // of a dial that is cut off before the host has shown its key: 5
	Again     time.Duration // before the second of them; twice as long before each further: 200 ms
}

func (o Options) filled() Options {
	for _, d := range []struct {
		of       *time.Duration
		fallback time.Duration
	}{
		{&o.Connect, 10 * time.Second}, {&o.Handshake, 20 * time.Second}, {&o.KeepAlive, 5 * time.Second},
		{&o.Idle, 10 * time.Second}, {&o.Grace, 3 * time.Second}, {&o.Again, 200 * time.Millisecond},
	} {
		if *d.of <= 0 {
			*d.of = d.fallback
		}
	}
	for _, n := range []struct {
		of       *int
		fallback int
	}{{&o.Misses, 3}, {&o.Dials, 4}, {&o.Tries, 5}} {
		if *n.of <= 0 {
			*n.of = n.fallback
		}
	}
	return o
}

// Hosts are the hosts that this process has been asked to reach, each with its connections.
type Hosts struct {
	options Options
	life    context.Context // ends with Close
	end     context.CancelFunc

	mu  sync.Mutex
	all map[identity]*Host
}

// identity is what makes two Targets one: all of them.
type identity struct {
	host, user, keys  string
	port, connections int
	credential        Credential
}

func (t Target) identity() identity {
	return identity{host: t.Host, user: t.User, keys: strings.Join(t.HostKeys, "\n"), port: t.Port,
		connections: t.Connections, credential: t.Credential}
}

// Same reports whether two targets are one host, reached in the same way.
func (t Target) Same(other Target) bool { return t.identity() == other.identity() }

// NewHosts makes an empty set. Close it.
func NewHosts(options Options) *Hosts {
	life, end := context.WithCancel(context.Background())
	return &Hosts{options: options.filled(), life: life, end: end, all: map[identity]*Host{}}
}

// Host is the host of target. Equal targets share their connections; a target with another credential or host key shares
// none with what was there before.
func (h *Hosts) Host(target Target) *Host {
	target.Connections = max(target.Connections, 1)
	id := target.identity()
	h.mu.Lock()
	defer h.mu.Unlock()
	host := h.all[id]
	if host == nil {
		host = newHost(target, h.options, h.life)
		h.all[id] = host
	}
	return host
}

// Close ends all connections, with the processes on them, and waits until nothing of them is left.
func (h *Hosts) Close() {
	h.end()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, host := range h.all {
		host.close()
	}
}
