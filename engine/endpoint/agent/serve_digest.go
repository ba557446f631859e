package agent

import (
	"cmp"
	"io"
	"syscall"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

// digests reads files anew, two at a time.
func (t *task) digests(root endpoint.Dir, out *encoder) error {
	paths := t.in.texts()
	if err := t.in.err(); err != nil {
		return err
	}
	all := make([]endpoint.Digest, len(paths))
	var group errgroup.Group
	group.SetLimit(digesters)
	open := folders{root: root, open: map[string]endpoint.Dir{}, idle: func() { _ = group.Wait() }}
	for i, path := range paths {
		dir, name, err := open.holding(path)
		if err = cmp.Or(err, t.ctx.Err()); err != nil {
			all[i].Err = err
			continue
		}
		group.Go(func() error { all[i] = t.digest(dir, name); return nil })
	}
	open.close()
	for _, d := range all {
		out.signed(d.Size)
		out.num(d.XXH64)
		out.error(d.Err)
	}
	return t.ctx.Err()
}

func (t *task) digest(dir endpoint.Dir, name string) (d endpoint.Digest) {
	f, err := dir.Open(name)
	if err != nil {
		return endpoint.Digest{Err: err}
	}
	defer f.Close()
	if info, err := f.Info(); err != nil || info.Type != endpoint.File {
		return endpoint.Digest{Err: cmp.Or[error](err, syscall.EINVAL)}
	}
	_ = f.DropCache() // best effort, says the endpoint
	sum, b := xxhash.New(), getBuffer(256<<10)
	defer b.put()
	for {
		n, err := f.Read(b.bytes())
		sum.Write(b.bytes()[:n])
		d.Size += int64(n)
		if err == io.EOF {
			d.XXH64 = sum.Sum64()
			return d
		}
		if err = cmp.Or(err, t.ctx.Err()); err != nil {
			return endpoint.Digest{Err: err}
		}
	}
}
