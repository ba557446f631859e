package sftp

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// pool is the SFTP servers that were started: one at first, and another whenever all are busy, up to a number.
type pool struct {
	starter remote.Starter
	options Options
	life    context.Context // ends with stop
	stop    context.CancelFunc

	mu       sync.Mutex
	live     []*session
	starting int
	started  chan struct{} // closed and made anew when a start has ended
	failed   error         // of the last start
	enough   time.Time     // until when what is there must do: a start has failed
	closed   bool
	group    sync.WaitGroup
	patience context.Context // ends with life, or when nobody cares any more to reach what was lost
	hurry    context.CancelFunc
}

func newPool(starter remote.Starter, options Options) *pool {
	life, stop := context.WithCancel(context.Background())
	p := &pool{starter: starter, options: options, life: life, stop: stop, started: make(chan struct{})}
	p.patience, p.hurry = context.WithCancel(life)
	return p
}

// pick is the session with the least to do; one that has the file open already, if holds says so, is worth a few requests.
// While all are busy another one is started beside, for whoever comes next.
func (p *pool) pick(holds func(*session) bool) (*session, error) {
	p.mu.Lock()
	best := p.best(holds)
	room := !p.closed && p.life.Err() == nil && len(p.live)+p.starting < p.options.Connections
	if room && (best == nil && p.starting == 0 || best != nil && best.load.Load() > 0 && time.Now().After(p.enough)) {
		p.starting++
		p.group.Go(p.start)
	}
	started, closed := p.started, p.closed
	p.mu.Unlock()
	if best != nil {
		return best, nil
	}
	if closed || p.life.Err() != nil {
		return nil, errClosed()
	}
	<-started // it has a deadline, and ends with the pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if best = p.best(holds); best == nil {
		return nil, p.failed
	}
	return best, nil
}

// startAgain is how long no further server is asked for after a host has refused one, while there are others.
const startAgain = 10 * time.Second

// openCost is about how many bytes on their way an open file is worth: those of a round trip or two.
const openCost = 512 << 10

func (p *pool) best(holds func(*session) bool) (best *session) {
	var least int64
	for _, s := range p.live {
		load := s.load.Load()
		if holds != nil && !holds(s) {
			load += openCost
		}
		if best == nil || load < least {
			best, least = s, load
		}
	}
	return best
}

func (p *pool) setHurry(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.hurry()
	} else if p.patience.Err() != nil {
		p.patience, p.hurry = context.WithCancel(p.life)
	}
}

func (p *pool) patient() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.patience
}

// start starts one server.
func (p *pool) start() {
	ctx, cancel := context.WithTimeout(p.patient(), p.options.Start)
	defer cancel()
	s, err := newSession(ctx, p.starter, p.options.Stall)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	p.enough = time.Now().Add(startAgain)
	if p.failed = err; err == nil {
		p.enough = time.Time{}
		p.failed = errClosed() // for those who find it lost already
		p.live = append(p.live, s)
		p.group.Go(func() {
			s.wait()
			p.drop(s)
			s.close()
		})
		if p.closed {
			s.kill(nil)
		}
	}
	close(p.started)
	p.started = make(chan struct{})
}

func (p *pool) drop(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = slices.DeleteFunc(p.live, func(other *session) bool { return other == s })
}

// beside does what nobody waits for, but the pool's own end.
func (p *pool) beside(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.group.Go(fn)
	}
}

// sleep reports whether the pool is still open after that, and anybody cares.
func (p *pool) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.patient().Done():
		return false
	}
}

func (p *pool) close() {
	p.stop()
	p.mu.Lock()
	p.closed = true
	live := slices.Clone(p.live)
	p.mu.Unlock()
	for _, s := range live {
		p.group.Add(1)
		go func() {
			defer p.group.Done()
			s.kill(errClosed())
		}()
	}
	p.group.Wait()
}

func errClosed() error {
	return &failure.Error{Code: failure.PortalUnreachable, Op: "sftp", Message: "The connection to the portal was closed."}
}
