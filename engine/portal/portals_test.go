package portal

import (
	"testing"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// stuck is the storage of a host that lets nobody end it.
type stuck struct {
	endpoint.Storage
	ending, ends chan struct{}
}

func (s stuck) Broken() error { return nil }
func (s stuck) Hurry(bool)    {}

func (s stuck) Close() error {
	close(s.ending)
	<-s.ends
	return nil
}

func TestAPortalThatIsSlowToEndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	timer := func() *time.Timer { return time.AfterFunc(time.Hour, func() {}) }
	s := stuck{ending: make(chan struct{}), ends: make(chan struct{})}
	slow := &opened{portal: Portal{ID: 1}, storage: s, unused: timer()}
	other := &opened{portal: Portal{ID: 2}, storage: stuck{}, users: 2, caring: 2, unused: timer()}
	p.open[1], p.open[2] = slow, other
	p.expire(slow)
	<-s.ending
	p.letGo(other, true) // it returns
	closed := make(chan struct{})
	go func() {
		p.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("it is closed while a portal still ends")
	default:
	}
	close(s.ends)
	<-closed
}
