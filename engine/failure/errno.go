package failure

import (
	"context"
	"errors"
	"syscall"
)

// AtSource gives err the code that fits an operation on the source. An error that has a code, or that ends a context,
// keeps it. AtSource(…, nil) is nil.
func AtSource(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return at(op, path, err, map[syscall.Errno]Code{
		syscall.ENOENT:  SourceNotFound,
		syscall.ENOTDIR: SourceNotFound,
		syscall.EACCES:  SourcePermissionDenied,
		syscall.EPERM:   SourcePermissionDenied,
		syscall.EROFS:   SourcePermissionDenied, // it is to be removed
		syscall.EBUSY:   SourcePermissionDenied, // a mount point is to be removed
		syscall.ELOOP:   PathNotAllowed,
		syscall.ESTALE:  SourceChanged,
	})
}

// AtDestination is AtSource for an operation on the destination.
func AtDestination(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return at(op, path, err, map[syscall.Errno]Code{
		syscall.ENOENT:       DestinationNotFound,
		syscall.ENOTDIR:      DestinationNotFound,
		syscall.EACCES:       DestinationPermissionDenied,
		syscall.EPERM:        DestinationPermissionDenied,
		syscall.EROFS:        DestinationReadOnly,
		syscall.ENOSPC:       DestinationFull,
		syscall.EDQUOT:       DestinationFull,
		syscall.EEXIST:       NameConflict,
		syscall.ENAMETOOLONG: NameConflict,
		syscall.EILSEQ:       NameConflict,
		syscall.EINVAL:       IOError,
		syscall.ELOOP:        PathNotAllowed,
	})
}

// AtNew is AtDestination for making a name in a folder that is open: when the storage says that something is missing or
// wrong, it means the name (exFAT and NTFS know no ':' or '?').
func AtNew(op, path string, err error) error {
	for _, errno := range []syscall.Errno{syscall.ENOENT, syscall.EINVAL} {
		if errors.Is(err, errno) && !coded(err) {
			return &Error{Code: NameConflict, Op: op, Path: path, Err: err,
				Message: "The destination can't hold this name: " + path}
		}
	}
	return AtDestination(op, path, err)
}

// AtNewLink is AtNew for a symbolic link; of a storage that has none, symlink(2) says EPERM.
func AtNewLink(path string, err error) error {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		if errors.Is(err, errno) && !coded(err) {
			return &Error{Code: UnsupportedFileType, Op: "make link", Path: path, Err: err,
				Message: "The destination can't hold symbolic links: " + path,
				Hint:    "Remove the links from the source, or choose a destination on another file system."}
		}
	}
	return AtNew("make link", path, err)
}

func coded(err error) bool {
	var known *Error
	return errors.As(err, &known)
}

func at(op, path string, err error, codes map[syscall.Errno]Code) error {
	var known *Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code := IOError
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if c, ok := codes[errno]; ok {
			code = c
		}
	}
	return &Error{Code: code, Op: op, Path: path, Err: err}
}
