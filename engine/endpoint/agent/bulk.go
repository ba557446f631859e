package agent

import (
	"context"
	"math"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	maxItems   = 512
	maxDigests = 256
	// maxFields is how much of a request's fields is filled before another is begun.
	maxFields = maxControl * 3 / 4
)

var (
	_ endpoint.InfoLister = (*dir)(nil)
	_ endpoint.BulkWriter = (*dir)(nil)
	_ endpoint.BulkReader = (*dir)(nil)
	_ endpoint.Digester   = (*dir)(nil)
)

func (d *dir) limits(items int, bytes int64) endpoint.BulkLimits {
	return endpoint.BulkLimits{Items: items, Bytes: bytes, Calls: 2 * len(d.s.lanes)}
}

// WriteLimits is endpoint.BulkWriter's.
func (d *dir) WriteLimits() endpoint.BulkLimits { return d.limits(maxItems, maxData) }

// ReadLimits is endpoint.BulkReader's.
func (d *dir) ReadLimits() endpoint.BulkLimits { return d.limits(maxItems, maxWhole) }

// DigestLimits is endpoint.Digester's: a file may have any size.
func (d *dir) DigestLimits() endpoint.BulkLimits { return d.limits(maxDigests, math.MaxInt64) }

// bulk is a request about many things.
type bulk struct {
	op     op
	fields *encoder
	data   [][]byte
	size   int64 // about how much moves
}

// ask asks for it, and tells the agent when ctx ends; the answer says how far it came.
func (b *bulk) ask(ctx context.Context, s *Storage, again bool) (*decoder, error) {
	var q *call
	err := s.again(again, func() error {
		c, err := s.reserve(b.size)
		if err != nil {
			return err
		}
		defer c.load.Add(-b.size)
		q = &call{awaited: true}
		c.start(b.op, q, b.fields.b, b.data...)
		stop := context.AfterFunc(ctx, func() { c.steer(opCancel, q.id) })
		defer stop()
		<-q.done
		return q.err
	})
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return &q.in, nil
}

// WriteAll is endpoint.BulkWriter's. It is one request, unless the items are more than WriteLimits says.
func (d *dir) WriteAll(ctx context.Context, items []endpoint.Item, sync bool) error {
	for from := 0; from < len(items); {
		b, n, err := d.writeSome(items[from:], sync)
		if err == nil {
			_, err = b.ask(ctx, d.s, false)
		}
		if failed, ok := err.(*endpoint.BulkError); ok && failed.Index < n {
			return &endpoint.BulkError{Index: from + failed.Index, Op: failed.Op, Err: failed.Err}
		}
		if err != nil {
			return err
		}
		from += n
	}
	return ctx.Err()
}

// writeSome makes a request of the first n items.
func (d *dir) writeSome(items []endpoint.Item, sync bool) (b *bulk, n int, err error) {
	all := &encoder{}
	b = &bulk{op: opWriteAll}
	for n < len(items) && n < maxItems {
		one, err := &encoder{}, error(nil)
		one.item(&items[n])
		if len(one.b) > maxFields || len(items[n].Data) > maxData {
			err = &endpoint.BulkError{Index: n, Op: "create", Err: syscall.E2BIG}
		}
		if n > 0 && (err != nil || len(all.b)+len(one.b) > maxFields || b.size+int64(len(items[n].Data)) > maxData) {
			break // the next request's
		}
		if err != nil {
			return nil, 1, err
		}
		all.b = append(all.b, one.b...)
		b.data = append(b.data, items[n].Data)
		b.size += int64(len(items[n].Data))
		n++
	}
	b.fields = d.query()
	b.fields.flag(sync)
	b.fields.num(uint64(n))
	b.fields.b = append(b.fields.b, all.b...)
	return b, n, nil
}

// some makes fields of the first n paths.
func some(paths []string, most int) (q *encoder, n int) {
	all := &encoder{}
	for n < len(paths) && n < most && (n == 0 || len(all.b)+len(paths[n]) < maxFields) {
		all.text(paths[n])
		n++
	}
	q = &encoder{}
	q.num(uint64(n))
	q.b = append(q.b, all.b...)
	return q, n
}

// ReadAll is endpoint.BulkReader's. It begins anew where a process is lost before the first file of a request has come.
func (d *dir) ReadAll(ctx context.Context, paths []string, bytes int64, xattrs bool,
	fn func(i int, file endpoint.Whole) error) error {
	for from := 0; from < len(paths); {
		names, n := some(paths[from:], maxItems)
		q := d.query()
		q.flag(xattrs)
		q.b = append(q.b, names.b...)
		err := d.readSome(ctx, q, n, max(bytes, batchSize), func(i int, file endpoint.Whole) error { return fn(from+i, file) })
		if err != nil {
			return err
		}
		from += n
	}
	return ctx.Err()
}

func (d *dir) readSome(ctx context.Context, q *encoder, n int, bytes int64, fn func(i int, file endpoint.Whole) error) error {
	done, over := 0, error(nil)
	err := d.s.again(true, func() error {
		c, err := d.s.reserve(bytes)
		if err != nil {
			return err
		}
		defer c.load.Add(-bytes)
		err = c.stream(ctx, opReadAll, q.b, func(in *decoder, data []byte) error {
			return files(in, data, func(file endpoint.Whole) error {
				if done++; done > n {
					return errProtocol
				}
				return fn(done-1, file)
			})
		})
		if err == nil && done < n {
			err = errProtocol
		}
		if done > 0 {
			over, err = err, nil
		}
		return err
	})
	if over != nil {
		return over
	}
	return err
}

// files takes a frame of a ReadAll apart.
func files(in *decoder, data []byte, fn func(endpoint.Whole) error) error {
	for range in.count() {
		file := in.whole(&data)
		if in.bad {
			return errProtocol
		}
		if err := fn(file); err != nil {
			return err
		}
	}
	if len(data) > 0 {
		return errProtocol
	}
	return in.err()
}

// Digests is endpoint.Digester's.
func (d *dir) Digests(ctx context.Context, paths []string) ([]endpoint.Digest, error) {
	all := make([]endpoint.Digest, 0, len(paths))
	for len(all) < len(paths) {
		names, n := some(paths[len(all):], maxDigests)
		b := &bulk{op: opDigests, fields: d.query(), size: batchSize}
		b.fields.b = append(b.fields.b, names.b...)
		in, err := b.ask(ctx, d.s, true)
		if err != nil {
			return nil, err
		}
		for range n {
			all = append(all, endpoint.Digest{Size: in.signed(), XXH64: in.num(), Err: in.error()})
		}
		if in.err() != nil {
			return nil, errProtocol
		}
	}
	return all, nil
}
