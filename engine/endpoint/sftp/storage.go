// Package sftp is the endpoint of a folder on another host that is reached by SFTP, version 3, and needs nothing there but
// the server of OpenSSH, or one like it. It starts that server on several connections, because one carries no more than 2 MiB
// per round trip, and spreads what is to be done over them. It never starts another program, and never holds on to a
// folder there: every operation names a whole path, so that a lost connection loses nothing but what was under way.
//
// What SFTP leaves open: it has no way to open a name without following a symbolic link, nor to work from an open folder. Each
// name is looked at before it is opened, and links are refused; somebody with write access on the far side who puts a link
// in a folder's place just between the two can make a path lead elsewhere on that host, to where its user may go anyway. A
// chroot on the far side shuts that door.
//
// Nothing is ever replaced: files are renamed by SFTP's own rename, which OpenSSH does by link and unlink, and folders over an
// empty one that was just made. Where the far storage has no hard links (exFAT), OpenSSH looks whether the name is free and
// renames then, which leaves a moment between the two.
package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// Options are the numbers and times of a Storage. Whatever is zero gets what is said beside it.
type Options struct {
	Connections int             // at most: 1
	Start       time.Duration   // for a connection and the server on it: 30 s
	Stall       time.Duration   // a request may go unanswered for, before its connection is given up: 5 min
	Again       []time.Duration // before each further try of what was lost and may be tried again: 100 ms, 1, 3 and 6 s
	ListBytes   int64           // that one folder's listing may have: 256 MiB, a million names and more
}

func (o Options) filled() Options {
	o.Connections = max(o.Connections, 1)
	if o.Start <= 0 {
		o.Start = 30 * time.Second
	}
	if o.Stall <= 0 {
		o.Stall = 5 * time.Minute
	}
	if o.Again == nil {
		o.Again = []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second, 6 * time.Second}
	}
	if o.ListBytes <= 0 {
		o.ListBytes = 256 << 20
	}
	return o
}

// Storage is a folder on a host, and what is below it.
type Storage struct {
	options  Options
	root     string // real and absolute
	features Features
	piece    int64 // of data in one request
	pool     *pool
	umask    atomic.Int64 // that of the far side, -1 until something was made there
}

var _ endpoint.Storage = (*Storage)(nil)

// Open connects, and finds the folder called root; one that doesn't exist is an error of fs.ErrNotExist. ctx is for the
// opening alone. Close the Storage: it ends whatever is under way, too.
func Open(ctx context.Context, starter remote.Starter, root string, options Options) (*Storage, error) {
	options = options.filled()
	s := &Storage{options: options, pool: newPool(starter, options)}
	s.umask.Store(-1)
	stop := context.AfterFunc(ctx, s.pool.stop)
	err := s.open(root)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Storage) open(root string) error {
	err := s.again(func(on *session) (err error) {
		s.features, s.piece = featuresOf(on.client), on.piece
		s.root, err = on.client.RealPath(root)
		return err
	})
	if err != nil {
		return s.errno(err)
	}
	real, missing, err := s.resolve(s.root)
	if err == nil && len(missing) > 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("root %s: %w", root, err)
	}
	info, err := s.lstat(real)
	if err != nil {
		return fmt.Errorf("root %s: %w", root, err)
	}
	if info.Type != endpoint.Folder {
		return fmt.Errorf("root %s: %w", root, errNotFolder)
	}
	s.root = real
	return nil
}

// Close ends all that is under way and waits until nothing of it is left.
func (s *Storage) Close() error {
	s.pool.close()
	return nil
}

// Hurry says whether nobody waits any more for what the Storage may reach again: then a connection that is lost stays lost.
// What is there goes on.
func (s *Storage) Hurry(on bool) { s.pool.setHurry(on) }

// Root is the real path of the folder.
func (s *Storage) Root() string { return s.root }

// once does op on the session with the least to do.
func (s *Storage) once(op func(*session) error) error {
	on, err := s.pool.pick(nil)
	if err != nil {
		return err
	}
	return on.do(requestCost, op)
}

// again is once for what may be done twice: it is, after a loss.
func (s *Storage) again(op func(*session) error) error {
	return s.retry(func() error { return s.once(op) })
}

// retry calls fn again and again, as long as what fails is a connection.
func (s *Storage) retry(fn func() error) error {
	err := fn()
	for _, wait := range s.options.Again {
		if !isLost(err) || !s.pool.sleep(wait) {
			break
		}
		err = fn()
	}
	return err
}

// mutate is once for what must not be done twice; only getting at a session is tried again.
func (s *Storage) mutate(op func(*session) error) error {
	var on *session
	err := s.retry(func() (err error) { on, err = s.pool.pick(nil); return err })
	if err != nil {
		return err
	}
	return on.do(requestCost, op)
}

// isLost reports whether it was the connection that failed.
func isLost(err error) bool {
	var known *failure.Error
	return errors.As(err, &known) && known.Code == failure.PortalUnreachable
}

// together calls all at once and returns the first one's error that has any.
func together(calls ...func() error) error {
	errs := make([]error, len(calls))
	var under sync.WaitGroup
	for i, call := range calls[1:] {
		under.Go(func() { errs[i+1] = call() })
	}
	errs[0] = calls[0]()
	under.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
