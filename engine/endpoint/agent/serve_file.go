package agent

import (
	"errors"
	"io"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// read reads a stretch of a file, shorter only at its end.
func (h *handle) read(r *request) (*buffer, error) {
	offset, size := r.in.signed(), r.in.size(maxData)
	if err := r.in.err(); err != nil {
		return &buffer{}, err
	}
	h.using.Lock()
	defer h.using.Unlock()
	if h.reader == nil {
		return &buffer{}, h.unopened()
	}
	if offset < 0 {
		return &buffer{}, syscall.EINVAL
	}
	b := getBuffer(size)
	n, err := h.reader.ReadAt(b.bytes(), offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		n = 0
	}
	b.size = n
	return b, err
}

func (h *handle) unopened() error {
	if h.failed != nil {
		return &errUnopened{h.failed}
	}
	return &errUnopened{syscall.EBADF}
}

func (s *server) useHandle(session *session, h *handle, r *request, out *encoder) error {
	h.using.Lock()
	defer h.using.Unlock()
	if do, ok := readerOps[r.op]; ok {
		if h.reader == nil {
			return h.unopened()
		}
		return do(h.reader, r.in, out)
	}
	if h.writer == nil {
		return h.unopened()
	}
	if r.op == opCopy || r.op == opClone {
		return session.copyInto(h.writer, r, out)
	}
	return writerOps[r.op](h.writer, r, out)
}

var readerOps = map[op]func(f endpoint.Reader, in *decoder, out *encoder) error{
	opFileInfo: func(f endpoint.Reader, in *decoder, out *encoder) error { return infoInto(out, in, f.Info) },
	opFileXattrs: func(f endpoint.Reader, in *decoder, out *encoder) error {
		return xattrsInto(out, in, f.Xattrs)
	},
	opNextData: func(f endpoint.Reader, in *decoder, out *encoder) error {
		offset, size := in.signed(), in.signed()
		return sound(in, func() error {
			start, end, err := f.NextData(offset, size)
			out.signed(start)
			out.signed(end)
			return err
		})
	},
	opDropCache: func(f endpoint.Reader, in *decoder, _ *encoder) error { return sound(in, f.DropCache) },
}

var writerOps = map[op]func(f endpoint.Writer, r *request, out *encoder) error{
	opWrite: func(f endpoint.Writer, r *request, _ *encoder) error {
		offset := r.in.signed()
		return sound(r.in, func() error {
			if offset < 0 {
				return syscall.EINVAL
			}
			_, err := f.WriteAt(r.data.bytes(), offset)
			return err
		})
	},
	opPreallocate: func(f endpoint.Writer, r *request, _ *encoder) error {
		size := r.in.signed()
		return sound(r.in, func() error { return f.Preallocate(size) })
	},
	opTruncate: func(f endpoint.Writer, r *request, _ *encoder) error {
		size := r.in.signed()
		return sound(r.in, func() error { return f.Truncate(size) })
	},
	opFileMode: func(f endpoint.Writer, r *request, _ *encoder) error {
		mode := uint32(r.in.num())
		return sound(r.in, func() error { return f.SetMode(mode) })
	},
	opFileTime: func(f endpoint.Writer, r *request, _ *encoder) error {
		t := r.in.time()
		return sound(r.in, func() error { return f.SetModTime(t) })
	},
	opFileSetXattrs: func(f endpoint.Writer, r *request, _ *encoder) error {
		all := r.in.xattrs()
		return sound(r.in, func() error { return f.SetXattrs(all) })
	},
	opFileSync: func(f endpoint.Writer, r *request, _ *encoder) error { return sound(r.in, f.Sync) },
}

// copyInto copies from one open file to another. Only a Writer's request ever uses another number's.
func (s *session) copyInto(to endpoint.Writer, r *request, out *encoder) error {
	number, at, from, limit := uint32(r.in.num()), r.in.signed(), r.in.signed(), r.in.signed()
	if err := r.in.err(); err != nil {
		return err
	}
	s.mu.Lock()
	source := s.handles[number]
	s.mu.Unlock()
	if source == nil {
		return syscall.EBADF
	}
	source.using.Lock()
	defer source.using.Unlock()
	if source.reader == nil {
		return source.unopened()
	}
	if r.op == opClone {
		return to.Clone(source.reader)
	}
	n, err := to.CopyFrom(at, source.reader, from, limit)
	out.signed(n)
	return err
}
