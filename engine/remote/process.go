package remote

import (
	"context"
	"io"
)

// Command is a program to start on a host. Its text is a constant of Ketter's: whatever varies travels on its input, so that no
// shell ever parses it.
type Command struct {
	Line      string // for the user's shell there; empty for a Subsystem
	Subsystem string // as "sftp"
}

// Starter starts programs on a host. Hosts of this package do; tests have one of this machine.
type Starter interface {
	// Start returns once the program was asked for and granted; ctx ends the wait, not the program. Errors have the codes of
	// portals: portal_unreachable, portal_auth_failed, host_key_mismatch; a Command that the host doesn't grant is ErrRefused.
	Start(ctx context.Context, command Command) (Process, error)
}

// Process is a program under way: Read its output, Write its input. Reads and writes end with an error of portal_unreachable
// when the connection is lost. Read and Write may be used by one goroutine each.
type Process interface {
	io.Reader
	io.Writer
	// CloseWrite ends its input.
	CloseWrite() error
	// Wait returns once the program has ended and all its output was read: nil, or an ExitError.
	Wait() error
	// Close ends it, whatever it is doing, and lets go of it. Anything waiting returns.
	Close() error
}
