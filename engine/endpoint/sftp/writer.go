package sftp

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

// writer is a file being made. Its mode and time are remembered, and given at Sync or Close, so that they take one round trip.
type writer struct {
	file

	mu     sync.Mutex
	mode   *uint32
	modAt  *time.Time
	failed error // of a write: what is there now nobody knows
	dirty  bool  // something was written since the last Sync
	write  sync.Mutex
	offset int64 // where Write goes on
}

var _ endpoint.Writer = (*writer)(nil)

// Create makes the file with what the far umask leaves, and gives it a narrower mode with its other attributes.
func (d *dir) Create(name string, mode uint32) (endpoint.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	full := d.full(name)
	w := d.writer(full)
	err := d.storage.mutate(func(on *session) error {
		made, err := on.client.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err == nil {
			w.open[on] = opened(made)
		}
		return err
	})
	if err != nil {
		return nil, d.storage.making(full, err)
	}
	umask, err := w.umask()
	if err != nil {
		return nil, errors.Join(err, w.end(false))
	}
	if want := mode &^ umask; want != 0o666&^umask {
		w.mode = &want
	}
	return w, nil
}

// opened is a handle that is open.
func opened(f *sftp.File) *handle {
	h := &handle{ready: make(chan struct{}), file: f}
	close(h.ready)
	return h
}

func (d *dir) writer(full string) *writer {
	return &writer{file: file{storage: d.storage, path: full, flags: os.O_WRONLY, open: map[*session]*handle{}}}
}

// umask is that of the far side, as the first file shows it that is made there. Of who may pass a folder files say nothing:
// those who may read it.
func (w *writer) umask() (uint32, error) {
	if known := w.storage.umask.Load(); known >= 0 {
		return uint32(known), nil
	}
	var umask uint32
	err := w.do(0, func(_ *session, f *sftp.File) error {
		got, err := f.Stat()
		if err == nil {
			umask = 0o666 &^ infoOf(got).Mode
			umask |= umask & 0o444 >> 2
			w.storage.umask.CompareAndSwap(-1, int64(umask))
		}
		return err
	})
	return umask, w.storage.errno(err)
}

// Reopen opens what is there, whatever it holds.
func (d *dir) Reopen(name string) (endpoint.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	w := d.writer(d.full(name))
	err := w.do(0, func(*session, *sftp.File) error { return nil })
	if err != nil {
		return nil, d.storage.at(w.path, err)
	}
	return w, nil
}

func (w *writer) WriteAt(b []byte, offset int64) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	n, err := w.pieces(len(b), func(from, to int) (int, error) { return w.writePiece(b[from:to], offset+int64(from)) })
	return n, w.fail(w.storage.writing(w.path, int64(len(b)), err))
}

func (w *writer) writePiece(b []byte, offset int64) (n int, err error) {
	err = w.do(int64(len(b)), func(_ *session, f *sftp.File) (err error) {
		n, err = f.WriteAt(b, offset)
		return err
	})
	return n, err
}

func (w *writer) Write(b []byte) (int, error) {
	w.write.Lock()
	defer w.write.Unlock()
	n, err := w.WriteAt(b, w.offset)
	w.offset += int64(n)
	return n, err
}

// begin refuses to go on with a file of which something is missing.
func (w *writer) begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty = true
	return w.failed
}

// fail remembers the first error of a write.
func (w *writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	return err
}

func (w *writer) Truncate(size int64) error {
	if size < 0 {
		return syscall.EINVAL
	}
	if err := w.begin(); err != nil {
		return err
	}
	err := w.do(0, func(_ *session, f *sftp.File) error { return f.Truncate(size) })
	return w.fail(w.storage.writing(w.path, 0, err))
}

func (w *writer) SetMode(mode uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = &mode
	return nil
}

func (w *writer) SetModTime(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.modAt = &t
	return nil
}

// settle gives the file what was remembered, after all that was written.
func (w *writer) settle() error {
	w.mu.Lock()
	mode, modAt, failed := w.mode, w.modAt, w.failed
	w.mode, w.modAt = nil, nil
	w.mu.Unlock()
	if failed != nil {
		return failed
	}
	calls := []func() error{func() error { return nil }}
	if mode != nil {
		calls = append(calls, func() error {
			err := w.do(0, func(_ *session, f *sftp.File) error { return f.Chmod(os.FileMode(*mode)) })
			return w.storage.writing(w.path, 0, err)
		})
	}
	if modAt != nil {
		calls = append(calls, func() error { return w.storage.chtimes(w.path, *modAt) })
	}
	return w.fail(together(calls...))
}

func (w *writer) Sync() error {
	if err := w.settle(); err != nil || !w.storage.features.Fsync {
		return err
	}
	w.mu.Lock()
	w.dirty = false
	w.mu.Unlock()
	err := w.do(0, func(_ *session, f *sftp.File) error { return f.Sync() })
	return w.fail(w.storage.writing(w.path, 0, err))
}

// Close waits for the host's answer only where something was written since the last Sync: then it may still be told (by
// NFS) that a write has failed.
func (w *writer) Close() error {
	err := w.settle()
	w.mu.Lock()
	wait := w.dirty && err == nil
	w.mu.Unlock()
	if closing := w.end(wait); err == nil {
		err = w.storage.writing(w.path, 0, closing)
	}
	return err
}

func (w *writer) CopyFrom(int64, endpoint.Reader, int64, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}
func (w *writer) Clone(endpoint.Reader) error { return errors.ErrUnsupported }
func (w *writer) Preallocate(int64) error     { return errors.ErrUnsupported }

func (w *writer) SetXattrs(attributes []endpoint.Xattr) error {
	if len(attributes) == 0 {
		return nil
	}
	return errors.ErrUnsupported
}
