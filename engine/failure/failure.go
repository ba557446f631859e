// Package failure names every way a transfer can fail and says what follows from each: whether a retry can help, which
// HTTP and exit status it has, and what the operator should do. It is the leaf that every other package may import; it
// never performs I/O and never looks at the text of an error.
package failure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Code is a stable, machine-readable name of a failure. It is part of the contract with operators: it stands in
// jobs.error_code, in problem+json answers and in the output of `ketter transfer --json`.
type Code string

// The failure codes. Their meaning, class and hint are in the table in codes.go.
const (
	SourceNotFound              Code = "source_not_found"
	SourcePermissionDenied      Code = "source_permission_denied"
	SourceChanged               Code = "source_changed"
	SourceNotRemoved            Code = "source_not_removed"
	UnsupportedFileType         Code = "unsupported_file_type"
	PathNotAllowed              Code = "path_not_allowed"
	InvalidRequest              Code = "invalid_request"
	DestinationExists           Code = "destination_exists"
	DestinationPermissionDenied Code = "destination_permission_denied"
	DestinationReadOnly         Code = "destination_read_only"
	DestinationFull             Code = "destination_full"
	DestinationNotFound         Code = "destination_not_found"
	NameConflict                Code = "name_conflict"
	SourceInsideDestination     Code = "source_inside_destination"
	DestinationInsideSource     Code = "destination_inside_source"
	VerifyMismatch              Code = "verify_mismatch"
	ArchiveError                Code = "archive_error"
	PortalUnreachable           Code = "portal_unreachable"
	PortalAuthFailed            Code = "portal_auth_failed"
	HostKeyMismatch             Code = "host_key_mismatch"
	PortalInUse                 Code = "portal_in_use"
	PortalNotFound              Code = "portal_not_found"
	PortalExists                Code = "portal_exists"
	LeaseLost                   Code = "lease_lost"
	JobState                    Code = "job_state"
	IdempotencyKeyReused        Code = "idempotency_key_reused"
	Cancelled                   Code = "cancelled"
	IOError                     Code = "io_error"
	Internal                    Code = "internal"
)

// Error is a failure with its code and the path it happened at. Message is the sentence an operator reads; Err is the
// cause, for the log.
type Error struct {
	Code    Code
	Op      string // what was being done, in the field's terms: "open", "rename", "verify"
	Path    string // absolute where there is one
	Message string // a sentence; when empty, Sentence makes one of the code's title and the cause
	Hint    string // what to do; when empty, the code's own hint is used
	Err     error
}

// New makes a failure whose sentence is message.
func New(code Code, path, message string) *Error {
	return &Error{Code: code, Path: path, Message: message}
}

// Error says the whole chain, for a log.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.Path != "" {
		b.WriteString(" " + e.Path)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Sentence is what an operator reads: one line without the hint.
func (e *Error) Sentence() string {
	if e.Message != "" {
		return e.Message
	}
	sentence := e.Code.Title()
	if e.Path != "" {
		sentence += ": " + e.Path
	}
	var errno syscall.Errno
	switch {
	case errors.As(e.Err, &errno):
		sentence += fmt.Sprintf(" (%s)", errno.Error())
	case e.Err != nil && e.Code == Internal:
		sentence += fmt.Sprintf(" (%v)", e.Err)
	}
	return sentence
}

// Advice is what the operator should do: the error's own hint, else its code's.
func (e *Error) Advice() string {
	if e.Hint != "" {
		return e.Hint
	}
	return e.Code.Hint()
}

// From returns the failure in err's chain. An error without one becomes cancelled when a context ended it, else
// internal. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: Cancelled, Err: err}
	}
	return &Error{Code: Internal, Err: err}
}

// CodeOf returns the code of err, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
