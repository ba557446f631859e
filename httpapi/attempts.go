package httpapi

import (
	"net/netip"
	"sync"
	"time"
)

const (
	mostWrong     = 10          // wrong tokens from an address
	wrongWindow   = time.Minute // within this
	mostAddresses = 1024        // that are counted one by one
)

// attempts counts wrong tokens by the address that they come from; of IPv6 by the network of a customer. It never takes
// more than so many addresses: beyond that, all others are counted as one.
type attempts struct {
	mu   sync.Mutex
	from map[netip.Prefix]*streak
}

// streak is what came from an address since.
type streak struct {
	since time.Time
	count int
}

// note counts a wrong token, and returns how many there were; with more than mostWrong, also until when they are too many.
func (a *attempts) note(remote string, now time.Time) (count int, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.streak(network(remote), now)
	s.count++
	if s.count <= mostWrong {
		return s.count, 0
	}
	return s.count, max(s.since.Add(wrongWindow).Sub(now), time.Nanosecond)
}

func (a *attempts) streak(from netip.Prefix, now time.Time) *streak {
	if s := a.from[from]; s != nil && !s.over(now) {
		return s
	}
	if len(a.from) >= mostAddresses {
		for address, s := range a.from {
			if s.over(now) {
				delete(a.from, address)
			}
		}
	}
	if len(a.from) >= mostAddresses && from.IsValid() {
		return a.streak(netip.Prefix{}, now)
	}
	if a.from == nil {
		a.from = map[netip.Prefix]*streak{}
	}
	s := &streak{since: now}
	a.from[from] = s
	return s
}

func (s *streak) over(now time.Time) bool { return now.Sub(s.since) >= wrongWindow }

// network is none for what is no address.
func network(remote string) netip.Prefix {
	parsed, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := parsed.Addr().Unmap().WithZone(""), 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // these lengths are valid
	return prefix
}
