package local

import (
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

type reader struct {
	fd      int
	closing sync.Once
}

var _ endpoint.Reader = (*reader)(nil)

// Open never blocks on a FIFO that has taken a file's place; reading it fails instead.
func (d *dir) Open(name string) (endpoint.Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &reader{fd: fd}, nil
}

func (r *reader) Read(p []byte) (int, error) {
	return atEnd(p, func() (int, error) { return unix.Read(r.fd, p) })
}

func (r *reader) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := atEnd(p, func() (int, error) { return unix.Pread(r.fd, p[done:], offset+int64(done)) })
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// atEnd turns a system call's 0 into io.EOF.
func atEnd(p []byte, call func() (int, error)) (int, error) {
	var n int
	err := retry(func() (err error) { n, err = call(); return err })
	if err != nil {
		return 0, err
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *reader) Info() (endpoint.Info, error)      { return fstat(r.fd) }
func (r *reader) Xattrs() ([]endpoint.Xattr, error) { return xattrs(r.fd) }
func (r *reader) DropCache() error                  { return dropCache(r.fd) }

// NextData asks lseek(2) for SEEK_DATA and SEEK_HOLE. It moves the descriptor's own position, which Read alone uses.
func (r *reader) NextData(offset, size int64) (start, end int64, err error) {
	start, err = seek(r.fd, offset, unix.SEEK_DATA)
	switch err {
	case nil:
	case unix.ENXIO: // nothing but a hole is left
		return size, size, nil
	case unix.EINVAL, unix.ENOTSUP:
		return offset, size, nil
	default:
		return 0, 0, err
	}
	end, err = seek(r.fd, start, unix.SEEK_HOLE)
	return min(start, size), min(end, size), err
}

func seek(fd int, offset int64, whence int) (int64, error) {
	var at int64
	err := retry(func() (err error) { at, err = unix.Seek(fd, offset, whence); return err })
	return at, err
}

func (r *reader) Close() error {
	var err error
	r.closing.Do(func() {
		err = unix.Close(r.fd)
		r.fd = -1 // the number may soon be another file's
	})
	return err
}

type writer struct {
	fd      int
	made    uint32 // the mode it has since it was made
	closing sync.Once
}

var _ endpoint.Writer = (*writer)(nil)

func (d *dir) Create(name string, mode uint32) (endpoint.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode&0o777)
	if err != nil {
		return nil, err
	}
	return &writer{fd: fd, made: d.modeOfNew(mode & 0o777)}, nil
}

// unknownMode is none that a file can have.
const unknownMode = math.MaxUint32

// modeOfNew is the mode that a file gets which is made with mode: what umask(2) leaves of it, unless the folder has a
// default access control list, which acl(5) puts in the umask's place.
func (d *dir) modeOfNew(mode uint32) uint32 {
	d.asked.Do(func() { d.plain = !hasDefaultACL(d.fd) })
	mask, known := umask()
	if !d.plain || !known {
		return unknownMode
	}
	return mode &^ mask
}

func (d *dir) Reopen(name string) (endpoint.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &writer{fd: fd, made: unknownMode}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := retry(func() (err error) { n, err = unix.Write(w.fd, p[done:]); return err })
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
		done += n
	}
	return done, nil
}

func (w *writer) WriteAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := retry(func() (err error) { n, err = unix.Pwrite(w.fd, p[done:], offset+int64(done)); return err })
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
		done += n
	}
	return done, nil
}

// CopyFrom is copy_file_range where both files are local and the system has it.
func (w *writer) CopyFrom(at int64, src endpoint.Reader, from, limit int64) (int64, error) {
	source, ok := endpoint.Unwrap(src).(*reader)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return copyRange(w.fd, at, source.fd, from, limit)
}

// Clone is FICLONE where both files are on one file system that can (btrfs, xfs).
func (w *writer) Clone(src endpoint.Reader) error {
	source, ok := endpoint.Unwrap(src).(*reader)
	if !ok {
		return errors.ErrUnsupported
	}
	return clone(w.fd, source.fd)
}

func (w *writer) Preallocate(size int64) error { return preallocate(w.fd, size) }

func (w *writer) Truncate(size int64) error {
	return retry(func() error { return unix.Ftruncate(w.fd, size) })
}

func (w *writer) SetXattrs(attributes []endpoint.Xattr) error { return setXattrs(w.fd, attributes) }

func (w *writer) SetMode(mode uint32) error {
	if mode == w.made {
		return nil
	}
	w.made = unknownMode
	return retry(func() error { return unix.Fchmod(w.fd, mode) })
}

func (w *writer) SetModTime(t time.Time) error { return setModTime(w.fd, t) }
func (w *writer) Sync() error                  { return syncFile(w.fd) }

func (w *writer) Close() error {
	var err error
	w.closing.Do(func() {
		err = unix.Close(w.fd)
		w.fd = -1 // the number may soon be another file's
	})
	return err
}
