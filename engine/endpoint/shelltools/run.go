package shelltools

import (
	"bufio"
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// run starts a script, hands it what feed writes and what it says to read, and waits for its end, which comes at once when
// ctx ends. How the script ended counts for more than what happened to its input and output.
func run(ctx context.Context, starter remote.Starter, script string, feed func(io.Writer) error, read func(io.Reader) error) error {
	process, err := starter.Start(ctx, remote.Command{Line: script})
	if err != nil {
		return err
	}
	defer process.Close()
	stop := context.AfterFunc(ctx, func() { _ = process.Close() })
	defer stop()

	fed := make(chan error, 1)
	go func() { fed <- send(process, feed) }()
	readErr := read(process)
	rest, drainErr := io.CopyN(io.Discard, process, maxNoise)
	if rest == maxNoise || drainErr != nil && !errors.Is(drainErr, io.EOF) {
		_ = process.Close() // it would say no end, or can't
	}
	feedErr := <-fed
	waitErr := process.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return firstOf(waitErr, readErr, feedErr)
}

func send(process remote.Process, feed func(io.Writer) error) error {
	if feed == nil {
		return process.CloseWrite()
	}
	out := bufio.NewWriterSize(process, 256<<10)
	if err := feed(out); err != nil {
		_ = process.CloseWrite()
		return err
	}
	if err := out.Flush(); err != nil {
		_ = process.CloseWrite()
		return err
	}
	return process.CloseWrite()
}

// firstOf returns the first error that tells a cause: a lost connection and a program's status before all others.
func firstOf(errs ...error) error {
	for _, err := range errs {
		var exit *remote.ExitError
		var known *failure.Error
		if errors.As(err, &known) || errors.As(err, &exit) {
			return err
		}
	}
	for _, err := range errs {
		if err != nil {
			return &plainError{err}
		}
	}
	return nil
}

// plainError is a pipe that broke, or output that isn't what was asked for: EIO to callers.
type plainError struct{ cause error }

func (e *plainError) Error() string   { return "the far host's tool: " + e.cause.Error() }
func (e *plainError) Unwrap() []error { return []error{e.cause, syscall.EIO} }

// discard reads a program's output for its end.
func discard(r io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(r, maxNoise))
	return err
}

// afterMarker reads up to where a program's own output begins.
func afterMarker(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for noise := 0; noise < maxNoise; {
		said, err := in.ReadSlice('\n')
		if string(said) == marker+"\n" {
			return in, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, unexpected(err)
		}
		noise += len(said)
	}
	return nil, errors.New("nothing but noise")
}

// unexpected is err, where an end is one too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
