package sftp

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

const (
	// requestCost is about what a request without data weighs, in bytes on their way.
	requestCost = 16 << 10
	// packetSize is how much data OpenSSH takes and gives in one packet: 256 KiB less 1 KiB for what is around it.
	packetSize = 255 << 10
	// plainPacketSize is what any server must take.
	plainPacketSize = 32 << 10
	// requestsPerFile is no limit of ours: pieces are dealt out here, never more than one packet each.
	requestsPerFile = 64
)

// session is an SFTP server that was started.
type session struct {
	client *sftp.Client
	pipe   *pipe
	stall  time.Duration
	load   atomic.Int64 // bytes on their way, about
	piece  int64        // of data in one request
}

// newSession starts a server and greets it.
func newSession(ctx context.Context, starter remote.Starter, stall time.Duration) (*session, error) {
	process, err := starter.Start(ctx, remote.Command{Subsystem: "sftp"})
	if errors.Is(err, remote.ErrRefused) {
		return nil, &failure.Error{Code: failure.PortalAuthFailed, Op: "sftp", Err: err,
			Message: "The host lets the user in, but doesn't let him use SFTP.",
			Hint:    "Is there a line \"Subsystem sftp internal-sftp\" in its sshd_config? Does a forced command stand in the way?"}
	}
	if err != nil {
		return nil, err
	}
	s := &session{pipe: &pipe{process: process}, stall: stall, piece: plainPacketSize}
	stop := context.AfterFunc(ctx, func() { s.kill(ctx.Err()) })
	s.client, err = sftp.NewClientPipe(s.pipe, s.pipe, sftp.MaxPacketUnchecked(packetSize),
		sftp.MaxConcurrentRequestsPerFile(requestsPerFile))
	if !stop() || err != nil {
		s.kill(err)
		if s.client != nil {
			s.close()
		}
		return nil, s.lost(err)
	}
	if _, ok := s.client.HasExtension("limits@openssh.com"); ok { // OpenSSH, from 8.5 on
		s.piece = packetSize
	}
	return s, nil
}

// wait returns once the server is gone.
func (s *session) wait() { _ = s.client.Wait() } // why is the pipe's to tell

// kill ends the server.
func (s *session) kill(cause error) { s.pipe.kill(cause) }

// close lets go of the client, once the server was killed or is gone.
func (s *session) close() {
	s.kill(nil)
	_ = s.client.Close() // it was ended already
}

// do performs a request that weighs so much, and gives the server up when there is no answer for too long.
func (s *session) do(cost int64, op func(*session) error) error {
	s.load.Add(cost)
	defer s.load.Add(-cost)
	watch := time.AfterFunc(s.stall, func() { s.kill(errors.New("the server does not answer")) })
	defer watch.Stop()
	err := op(s)
	if err == nil || isAnswer(err) {
		return err
	}
	s.kill(err)
	return s.lost(err)
}

// isAnswer reports whether err is what the server has said, or was found here; else the connection is of no use any more.
func isAnswer(err error) bool {
	var (
		transport *failure.Error
		status    *sftp.StatusError
		found     *foundHere
	)
	if errors.As(err, &transport) {
		return false
	}
	if errors.As(err, &status) {
		return status.Code != uint32(sftp.ErrSSHFxNoConnection) && status.Code != uint32(sftp.ErrSSHFxConnectionLost)
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.As(err, &found) || err == io.EOF
}

// foundHere is an error that no server has sent: it leaves the connection as good as it was.
type foundHere struct{ error }

func (f *foundHere) Unwrap() error { return f.error }

// lost is the failure of what was under way.
func (s *session) lost(err error) error {
	if cause := s.pipe.cause(); cause != nil {
		err = cause
	}
	var known *failure.Error
	if errors.As(err, &known) {
		return err
	}
	return &failure.Error{Code: failure.PortalUnreachable, Op: "sftp", Err: err, Message: "The connection to the portal was lost."}
}

// pipe is the process as the client wants it. It remembers why it ended, which the client doesn't.
type pipe struct {
	process  remote.Process
	received atomic.Int64 // bytes, without those of files
	limits   sync.Map     // *listing: those under way
	once     sync.Once
	mu       sync.Mutex
	err      error
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.process.Read(b)
	received := p.received.Add(int64(n))
	p.limits.Range(func(l, _ any) bool {
		l.(*listing).check(received)
		return true
	})
	p.note(err)
	return n, err
}

func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.process.Write(b)
	p.note(err)
	return n, err
}

// listing is how far the server may go while a folder is listed: the client keeps it all in memory.
type listing struct {
	until int64
	stop  func()
}

func (l *listing) check(received int64) {
	if received > l.until {
		l.stop()
	}
}

// limit calls stop once so many bytes have come that are no file's, until done is called.
func (p *pipe) limit(bytes int64, stop func()) (done func()) {
	l := &listing{until: p.received.Load() + bytes, stop: stop}
	p.limits.Store(l, true)
	return func() { p.limits.Delete(l) }
}

// Close is for the client, which calls it whenever it gives up.
func (p *pipe) Close() error {
	p.kill(nil)
	return nil
}

func (p *pipe) kill(cause error) {
	p.note(cause)
	p.once.Do(func() { _ = p.process.Close() }) // there is nothing to be lost any more
}

// note keeps the first error: the others follow from it.
func (p *pipe) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *pipe) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
