package remote

import (
	"errors"
	"fmt"
)

// ErrRefused is the error of a command that the host doesn't let its user start.
var ErrRefused = errors.New("remote: the host refuses to start it")

// ExitError is how a program ended that didn't succeed.
type ExitError struct {
	Status int    // -1 when a signal ended it, or the host didn't say
	Stderr string // the end of what it complained, at most a few KiB
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("it ended with status %d: %q", e.Status, e.Stderr)
}
