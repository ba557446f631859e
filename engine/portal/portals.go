package portal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

// Options are what Portals need to know.
type Options struct {
	Label   string      // this worker's
	Roots   local.Roots // what jobs may touch on this machine
	Version string      // of this ketter
	// Find looks a portal up; one that doesn't exist is portal_not_found.
	Find func(ctx context.Context, id int64) (Portal, error)
	// Binary is the path of this ketter, to be sent where it is missing; empty: it is never sent.
	Binary string
	// Home is where it is sent to, below .cache/ketter; empty: the account's home folder.
	Home string
	// How hosts are used; what is zero has a default there, but for what a portal says itself.
	Remote remote.Options
	Agent  agent.Options
	SFTP   sftp.Options
	Idle   time.Duration // how long a portal stays open that nobody uses: a minute
}

// Portals opens portals, and keeps open for a while what was used. Close it.
type Portals struct {
	options Options
	hosts   *remote.Hosts

	mu      sync.Mutex // never held while the other side is waited for
	open    map[int64]*opened
	closed  bool
	closing sync.WaitGroup
}

var _ engine.Portals = (*Portals)(nil)

// New makes Portals.
func New(options Options) *Portals {
	if options.Idle <= 0 {
		options.Idle = time.Minute
	}
	if options.SFTP.Stall <= 0 {
		options.SFTP.Stall = time.Minute
	}
	return &Portals{options: options, hosts: remote.NewHosts(options.Remote), open: map[int64]*opened{}}
}

// storage is that of another host.
type storage interface {
	endpoint.Storage
	// Broken returns why nothing goes on with it any more, nil as long as it does.
	Broken() error
	// Hurry says whether nobody cares any more to reach again what was lost.
	Hurry(on bool)
	Close() error
}

// opened is a portal that was reached.
type opened struct {
	portal  Portal
	storage storage
	reach   engine.Reach

	users  int
	caring int  // users whose contexts have not ended
	stale  bool // the last user closes it
	unused *time.Timer
}

// Open implements engine.Portals.
func (p *Portals) Open(ctx context.Context, id int64) (engine.Portal, error) {
	portal, err := p.options.Find(ctx, id)
	if err != nil {
		return engine.Portal{}, err
	}
	if p.isHere(portal) {
		return p.here(portal)
	}
	o, err := p.take(ctx, portal)
	if err != nil {
		return engine.Portal{}, err
	}
	lose := context.AfterFunc(ctx, func() { p.careLess(o) })
	return engine.Portal{
		Storage: within{o.storage, portal}, Reach: o.reach, Close: sync.OnceFunc(func() { p.letGo(o, lose()) }),
		ZipThresholdFiles: portal.ZipThresholdFiles, ZipThresholdAvgSize: portal.ZipThresholdAvgSize,
	}, nil
}

func (p *Portals) isHere(portal Portal) bool {
	return portal.Local || portal.Label != "" && portal.Label == p.options.Label
}

// ErrElsewhere is in the failure of a portal that is a folder of other workers' host, about which nothing can be said here.
var ErrElsewhere = errors.New("portal: it is a folder of another host")

// here is a portal that is a folder of this machine.
func (p *Portals) here(portal Portal) (engine.Portal, error) {
	if portal.Label != "" && portal.Label != p.options.Label {
		f := failure.New(failure.InvalidRequest, portal.Root, fmt.Sprintf(
			"Portal %s is a folder of the workers labelled %s, and this worker's label is %q", portal.Name, portal.Label, p.options.Label))
		f.Hint = "Start a worker there with KETTER_WORKER_LABEL=" + portal.Label + ", or make the portal one of kind sftp."
		f.Err = ErrElsewhere
		return engine.Portal{}, f
	}
	return engine.Portal{
		Storage: within{p.options.Roots.Within(portal.Root), portal}, Close: func() {},
		Reach: engine.Reach{Portal: portal.Name, By: fmt.Sprintf("Portal %s is a folder of this host: %s.", portal.Name, portal.Root),
			Facts: transfer.Figures{"via": "local"}},
		ZipThresholdFiles: portal.ZipThresholdFiles, ZipThresholdAvgSize: portal.ZipThresholdAvgSize,
	}, nil
}

// take returns the portal open: as it is, or reached anew where there is none, or what is known of it has changed.
func (p *Portals) take(ctx context.Context, portal Portal) (*opened, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.open[portal.ID]; o != nil {
		if o.storage.Broken() == nil && o.portal.same(portal) {
			o.users++
			o.caring++
			o.storage.Hurry(false)
			o.unused.Stop()
			return o, nil
		}
		p.drop(o)
	}
	p.mu.Unlock()
	s, reach, err := p.reach(ctx, portal)
	p.mu.Lock()
	if err != nil {
		return nil, err
	}
	o := &opened{portal: portal, storage: s, reach: reach, users: 1, caring: 1}
	o.unused = time.AfterFunc(time.Hour, func() { p.expire(o) })
	o.unused.Stop()
	if other := p.open[portal.ID]; other != nil { // somebody else was as fast
		p.drop(other)
	}
	p.open[portal.ID] = o
	if p.closed { // meanwhile; its user closes it
		p.drop(o)
	}
	return o, nil
}

// drop makes a portal one that nobody takes any more.
func (p *Portals) drop(o *opened) {
	if p.open[o.portal.ID] == o {
		delete(p.open, o.portal.ID)
	}
	o.stale = true
	o.unused.Stop()
	if o.users == 0 {
		p.close(o)
	}
}

// close ends a portal that nobody uses, beside: a host that doesn't answer takes its time.
func (p *Portals) close(o *opened) { p.closing.Go(func() { _ = o.storage.Close() }) }

// careLess notes that a user's context has ended. Nothing on another host knows of contexts: without this, what a network that
// is silent has taken would be looked for on and on, while somebody waits for a cancel.
func (p *Portals) careLess(o *opened) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.caring--
	o.hurryUp()
}

func (o *opened) hurryUp() {
	if o.users > 0 {
		o.storage.Hurry(o.caring == 0)
	}
}

func (p *Portals) letGo(o *opened, cared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.users--
	if cared {
		o.caring--
	}
	o.hurryUp()
	switch {
	case o.users > 0:
	case o.stale:
		p.close(o)
	default:
		o.unused.Reset(p.options.Idle)
	}
}

func (p *Portals) expire(o *opened) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.users == 0 && !o.stale {
		p.drop(o)
	}
}

// Close ends what is open, and waits until nothing of it is left. Nobody may use a portal any more.
func (p *Portals) Close() {
	p.mu.Lock()
	p.closed = true
	for _, o := range p.open {
		p.drop(o)
	}
	p.mu.Unlock()
	p.closing.Wait()
	p.hosts.Close()
}

// same reports whether the way to a portal is the same.
func (p Portal) same(other Portal) bool {
	return p.Root == other.Root && p.AgentPath == other.AgentPath && p.SendAgent == other.SendAgent && p.Target.Same(other.Target)
}
