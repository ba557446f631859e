package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// errnos are the errors that have the same name everywhere and different numbers: on the wire each is its place here. New
// ones go to the end.
var errnos = []syscall.Errno{
	syscall.EIO, syscall.EPERM, syscall.ENOENT, syscall.EINTR, syscall.ENXIO, syscall.E2BIG, syscall.EBADF, syscall.EAGAIN,
	syscall.ENOMEM, syscall.EACCES, syscall.EFAULT, syscall.EBUSY, syscall.EEXIST, syscall.EXDEV, syscall.ENODEV,
	syscall.ENOTDIR, syscall.EISDIR, syscall.EINVAL, syscall.ENFILE, syscall.EMFILE, syscall.ENOTTY, syscall.ETXTBSY,
	syscall.EFBIG, syscall.ENOSPC, syscall.ESPIPE, syscall.EROFS, syscall.EMLINK, syscall.EPIPE, syscall.ERANGE,
	syscall.EDEADLK, syscall.ENAMETOOLONG, syscall.ENOLCK, syscall.ENOSYS, syscall.ENOTEMPTY, syscall.ELOOP,
	syscall.EOVERFLOW, syscall.EILSEQ, syscall.EOPNOTSUPP, syscall.ENOTSUP, syscall.ENOBUFS, syscall.ETIMEDOUT,
	syscall.ESTALE, syscall.EDQUOT, syscall.ECANCELED, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ENOTCONN, syscall.EPROTO, syscall.EREMOTE, syscall.EUSERS,
}

// Kinds of errors on the wire.
const (
	errorNone = iota
	errorErrno
	errorSaid        // an errno, and what was said about it
	errorUnsupported // errors.ErrUnsupported
	errorFailure     // a *failure.Error and its cause
	errorCancelled
	errorShort // io.ErrUnexpectedEOF, io.ErrShortWrite
	errorUnopened
	errorBulk
)

// errGivenUp is a request that the agent gave up, because it is being ended. Nobody on this side has cancelled anything: who has
// knows it by his own context.
var errGivenUp = errors.New("the agent gave it up")

// errUnopened wraps why a number that is used was not opened.
type errUnopened struct{ err error }

func (e *errUnopened) Error() string { return e.err.Error() }
func (e *errUnopened) Unwrap() error { return e.err }

func (e *encoder) error(err error) {
	var coded *failure.Error
	var errno syscall.Errno
	if unopened, ok := err.(*errUnopened); ok {
		e.num(errorUnopened)
		e.error(unopened.err)
		return
	}
	if bulk, ok := err.(*endpoint.BulkError); ok {
		e.num(errorBulk)
		e.num(uint64(bulk.Index))
		e.text(bulk.Op)
		e.error(bulk.Err)
		return
	}
	switch {
	case err == nil:
		e.num(errorNone)
	case errors.As(err, &coded):
		e.num(errorFailure)
		for _, s := range []string{string(coded.Code), coded.Op, coded.Path, coded.Message, coded.Hint} {
			e.text(cut(s))
		}
		e.error(coded.Err)
	case errors.As(err, &errno):
		e.errno(errno, err)
	case errors.Is(err, errors.ErrUnsupported):
		e.num(errorUnsupported)
	case errors.Is(err, context.Canceled):
		e.num(errorCancelled)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrShortWrite):
		e.num(errorShort)
	default:
		e.num(errorSaid)
		e.num(0)
		e.text(cut(err.Error()))
	}
}

func (e *encoder) errno(errno syscall.Errno, err error) {
	for i, known := range errnos {
		if known != errno {
			continue
		}
		if err == error(errno) {
			e.num(errorErrno)
			e.num(uint64(i))
			return
		}
		e.num(errorSaid)
		e.num(uint64(i))
		e.text(cut(err.Error()))
		return
	}
	e.num(errorSaid)
	e.num(0)
	e.text(cut(err.Error()))
}

// cut bounds a text that is only for people, or a path that nobody has but who sent it.
func cut(s string) string { return s[:min(len(s), 8<<10)] }

func (d *decoder) error() error { return d.errorAt(0) }

func (d *decoder) errorAt(depth int) error {
	if depth > 4 {
		d.fail()
		return errProtocol
	}
	switch d.num() {
	case errorNone:
		if d.bad {
			return errProtocol
		}
		return nil
	case errorErrno:
		return errnos[d.size(len(errnos)-1)]
	case errorSaid:
		errno := errnos[d.size(len(errnos)-1)]
		return &saidError{d.text(), errno}
	case errorUnsupported:
		return errors.ErrUnsupported
	case errorFailure:
		f := &failure.Error{Code: failure.Code(d.text()), Op: d.text(), Path: d.text(), Message: d.text(), Hint: d.text()}
		f.Err = d.errorAt(depth + 1)
		return known(f)
	case errorCancelled:
		return lost(true, errGivenUp)
	case errorShort:
		return io.ErrUnexpectedEOF
	case errorUnopened:
		return &errUnopened{d.errorAt(depth + 1)}
	case errorBulk:
		return &endpoint.BulkError{Index: d.size(1 << 20), Op: d.text(), Err: d.errorAt(depth + 1)}
	default:
		d.fail()
		return errProtocol
	}
}

// known keeps a hostile agent from inventing codes.
func known(f *failure.Error) error {
	if !slices.Contains(failure.Codes(), f.Code) {
		f.Code = failure.IOError
	}
	return f
}

// saidError is an errno of the far host, in its words.
type saidError struct {
	text  string
	errno syscall.Errno
}

func (e *saidError) Error() string { return printable(e.text) }
func (e *saidError) Unwrap() error { return e.errno }

// printable is what a far host said, on one line and without what a terminal would obey.
func printable(s string) string {
	return strings.Trim(fmt.Sprintf("%q", s), `"`)
}

// lostError tells that a process is gone, and whether what was asked may have reached it.
type lostError struct {
	asked bool
	cause error
}

func (e *lostError) Error() string {
	return fmt.Sprintf("the agent's connection was lost: %v", e.cause)
}
func (e *lostError) Unwrap() error { return e.cause }

// lost is what everything under way fails with when its process is gone.
func lost(asked bool, cause error) error {
	return &failure.Error{Code: failure.PortalUnreachable, Op: "agent", Err: &lostError{asked, cause}}
}

// isLost reports whether err is of a process that is gone, and whether the request may have been carried out.
func isLost(err error) (is, asked bool) {
	var l *lostError
	if !errors.As(err, &l) {
		return false, false
	}
	return true, l.asked
}
