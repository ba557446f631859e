package remote

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// process is a program in a session of its own.
type process struct {
	connection *connection
	channel    ssh.Channel
	complaint  tail

	ended    chan struct{} // closed when the session is gone, on purpose or not
	told     bool          // the host said how the program ended; read it once ended is closed, as status
	status   int
	counted  atomic.Bool // it has a place on the connection, to give back at its end
	released sync.Once
	closing  sync.Once
	closed   atomic.Bool
}

func newProcess(c *connection, channel ssh.Channel, requests <-chan *ssh.Request) *process {
	p := &process{connection: c, channel: channel, ended: make(chan struct{})}
	complained := make(chan struct{})
	c.group.Go(func() {
		defer close(complained)
		_, _ = io.Copy(&p.complaint, channel.Stderr()) // ends with the session
	})
	c.group.Go(func() {
		p.listen(requests)
		<-complained
		close(p.ended)
		p.release()
	})
	return p
}

// granted makes the process the one that has the place on the connection.
func (p *process) granted() {
	p.counted.Store(true)
	select {
	case <-p.ended:
		p.release()
	default:
	}
}

func (p *process) release() {
	if p.counted.Load() {
		p.released.Do(func() { p.connection.host.release(p.connection) })
	}
}

// listen takes what the host says of the program until the session is gone.
func (p *process) listen(requests <-chan *ssh.Request) {
	for request := range requests {
		switch request.Type {
		case "exit-status":
			var status struct{ Value uint32 }
			if ssh.Unmarshal(request.Payload, &status) == nil {
				p.told, p.status = true, int(status.Value)
			}
		case "exit-signal":
			p.told, p.status = true, -1
		}
		if request.WantReply {
			_ = request.Reply(false, nil) // when it can't be told, the connection is lost anyway
		}
	}
}

func (p *process) Read(b []byte) (int, error) {
	n, err := p.channel.Read(b)
	if err != nil && n == 0 {
		return 0, p.after(io.EOF)
	}
	return n, nil
}

func (p *process) Write(b []byte) (int, error) {
	n, err := p.channel.Write(b)
	if err != nil {
		return n, p.after(syscall.EPIPE)
	}
	return n, nil
}

// after says what the end of a stream means: a connection that is lost ends it just as the program does. The program has
// ended it if the host says so, or is there to be asked.
func (p *process) after(ended error) error {
	if !p.endedWell() {
		return p.connection.lostError()
	}
	if p.closed.Load() {
		return io.ErrClosedPipe
	}
	return ended
}

// endedWell reports whether something is at its end without the connection having been lost.
func (p *process) endedWell() bool {
	answer := make(chan error, 1)
	if !p.connection.begin(func() { answer <- p.connection.ping() }) {
		<-p.ended
		return p.told
	}
	select {
	case <-p.ended:
		return p.told || <-answer == nil
	case err := <-answer:
		return err == nil
	}
}

func (p *process) CloseWrite() error {
	if p.channel.CloseWrite() != nil {
		return p.after(nil)
	}
	return nil
}

func (p *process) Wait() error {
	<-p.ended
	switch {
	case p.told && p.status == 0:
		return nil
	case p.told:
		return &ExitError{Status: p.status, Stderr: p.complaint.String()}
	case p.endedWell():
		return &ExitError{Status: -1, Stderr: p.complaint.String()}
	default:
		return p.connection.lostError()
	}
}

// Close tells the program to end, and takes the whole connection away from one that doesn't, or from a host that doesn't
// answer: there is no other way to make what waits for it return.
func (p *process) Close() error {
	p.closing.Do(func() {
		p.closed.Store(true)
		p.connection.begin(func() { // may be stuck in a write
			_, _ = p.channel.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"TERM"}))
			_ = p.channel.Close()
		})
	})
	grace := time.NewTimer(p.connection.host.options.Grace)
	defer grace.Stop()
	select {
	case <-p.ended:
	case <-grace.C:
		p.connection.kill(errors.New("a program on it did not end"))
		<-p.ended
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[max(0, len(b)-tailSize):]...)
	if len(t.kept) > 2*tailSize {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept[max(0, len(t.kept)-tailSize):])
}
