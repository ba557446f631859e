package zipfirst

import (
	"errors"
	"syscall"

	"github.com/ketter/ketter/engine/failure"
)

// archiveFailed gives an error on an archive its code: what a storage says is the destination's failure, anything else is
// wrong with the archive itself.
func archiveFailed(op, archive string, err error) error {
	var errno syscall.Errno
	var known *failure.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &errno), errors.As(err, &known):
		return failure.AtDestination(op, archive, err)
	default:
		return &failure.Error{Code: failure.ArchiveError, Op: op, Path: archive, Err: err}
	}
}

// refused is the failure of an archive that doesn't hold what it should.
func refused(archive, why string) error {
	return failure.New(failure.ArchiveError, archive, "The archive can't be unpacked: "+why)
}
