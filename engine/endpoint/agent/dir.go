package agent

import (
	"cmp"
	"strings"
	"sync"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

// dir is a folder of a Storage, by its name.
type dir struct {
	s            *Storage
	place        place
	device       uint64
	capabilities endpoint.Capabilities
	closing      sync.Once
}

var _ endpoint.Dir = (*dir)(nil)

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return syscall.EINVAL
	}
	return nil
}

// Path is the far host's.
func (d *dir) Path() string {
	if d.place.names == "" {
		return d.place.base
	}
	return strings.TrimSuffix(d.place.base, "/") + "/" + d.place.names
}

func (d *dir) Capabilities() endpoint.Capabilities { return d.capabilities }

// Close frees the lock, if there is one.
func (d *dir) Close() error {
	d.closing.Do(func() {
		d.s.mu.Lock()
		l := d.s.locks[d]
		delete(d.s.locks, d)
		if l != nil && l.held {
			d.s.locked.Add(-1)
		}
		d.s.mu.Unlock()
		if l != nil && l.on != nil && !l.on.dead() {
			closeNumber(l.on, l.number)
		}
	})
	return nil
}

// closeNumber is not waited for: what is asked for later comes after it.
func closeNumber(c *conn, number uint32) {
	q := &encoder{}
	q.num(uint64(number))
	c.tell(opClose, q.b)
}

// query begins a request about the folder.
func (d *dir) query() *encoder {
	q := &encoder{}
	q.place(d.place)
	return q
}

// do asks for something that has no answer but that it was done.
func (d *dir) do(op op, q *encoder, again bool) error {
	in, err := d.s.ask(op, q, again)
	if err != nil {
		return err
	}
	return in.err()
}

// named is do for a name in the folder.
func (d *dir) named(op op, name string, again bool, more func(q *encoder)) error {
	if err := checkName(name); err != nil {
		return err
	}
	q := d.query()
	q.text(name)
	if more != nil {
		more(q)
	}
	return d.do(op, q, again)
}

func (d *dir) Info() (endpoint.Info, error) {
	in, err := d.s.ask(opInfo, d.query(), true)
	if err != nil {
		return endpoint.Info{}, err
	}
	info := in.info()
	return info, in.err()
}

func (d *dir) Lstat(name string) (endpoint.Info, error) {
	if err := checkName(name); err != nil {
		return endpoint.Info{}, err
	}
	q := d.query()
	q.text(name)
	in, err := d.s.ask(opLstat, q, true)
	if err != nil {
		return endpoint.Info{}, err
	}
	info := in.info()
	return info, in.err()
}

func (d *dir) Readlink(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	q := d.query()
	q.text(name)
	in, err := d.s.ask(opReadlink, q, true)
	if err != nil {
		return "", err
	}
	target := in.text()
	return target, in.err()
}

// OpenDir of a folder that was made last is known to succeed.
func (d *dir) OpenDir(name string) (endpoint.Dir, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	at := d.place.below(name)
	known, ok := d.s.recall(at)
	if !ok {
		q := d.query()
		q.text(name)
		q.num(d.device)
		in, err := d.s.ask(opOpenDir, q, true)
		if err != nil {
			return nil, err
		}
		if known = in.opened(); in.err() != nil {
			return nil, errProtocol
		}
	}
	opened := &dir{s: d.s, place: at, device: known.device, capabilities: d.capabilities}
	if known.capabilities != nil {
		opened.capabilities = *known.capabilities
	}
	return opened, nil
}

func (d *decoder) opened() fresh {
	f := fresh{device: d.info().Device}
	if d.flag() {
		c := d.capabilities()
		f.capabilities = &c
	}
	return f
}

func (d *dir) Xattrs() ([]endpoint.Xattr, error) {
	in, err := d.s.ask(opXattrs, d.query(), true)
	if err != nil {
		return nil, err
	}
	all := in.xattrs()
	return all, in.err()
}

func (d *dir) Sync() error    { return d.do(opSync, d.query(), true) }
func (d *dir) SyncAll() error { return d.do(opSyncAll, d.query(), true) }

func (d *dir) Space() (endpoint.Space, error) {
	in, err := d.s.ask(opSpace, d.query(), true)
	if err != nil {
		return endpoint.Space{}, err
	}
	space := endpoint.Space{Bytes: in.num(), Inodes: in.num()}
	return space, in.err()
}

// TryLock keeps the folder open there, whether it could be locked or not: a further try is for the same one.
func (d *dir) TryLock() error {
	d.s.mu.Lock()
	l := d.s.locks[d]
	if l == nil {
		l = &lock{}
		d.s.locks[d] = l
	}
	d.s.mu.Unlock()
	return d.s.again(true, func() error {
		c, err := d.s.lanes[0].get()
		if err != nil {
			return err
		}
		d.s.mu.Lock()
		if l.on != c {
			l.on, l.number = c, c.numbers.Add(1)
		}
		number := l.number
		d.s.mu.Unlock()
		info, err := askLock(c, number, d.place)
		if err != nil {
			return err
		}
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		if !l.held {
			d.s.locked.Add(1)
		}
		l.info, l.held = info, true
		return nil
	})
}

func (d *dir) List(fn func(endpoint.Entry) error) error {
	return d.list(opList, func(in *decoder) error {
		e := endpoint.Entry{Name: in.name(), Type: endpoint.Type(in.size(int(endpoint.Other)))}
		if in.bad {
			return errProtocol
		}
		return fn(e)
	})
}

// ListInfo is endpoint.InfoLister.
func (d *dir) ListInfo(fn func(name string, info endpoint.Info) error) error {
	return d.list(opListInfo, func(in *decoder) error {
		name, info := in.name(), in.info()
		if in.bad {
			return errProtocol
		}
		return fn(name, info)
	})
}

// name is one that can be in a folder, whatever the agent says.
func (d *decoder) name() string {
	name := d.text()
	if checkName(name) != nil {
		d.fail()
	}
	return name
}

// list may begin anew until the first name was handed on.
func (d *dir) list(op op, each func(in *decoder) error) error {
	began, over := false, error(nil)
	err := d.s.again(true, func() error {
		c, err := d.s.lanes[0].get()
		if err != nil {
			return err
		}
		err = c.stream(d.s.ctx, op, d.query().b, func(in *decoder, _ []byte) error {
			for len(in.b) > 0 {
				began = true
				if err := each(in); err != nil {
					return err
				}
			}
			return nil
		})
		if began && err != nil {
			over = err
			return nil
		}
		return err
	})
	if err = cmp.Or(over, err); err == nil {
		return nil
	}
	return cmp.Or(d.s.failed(), err) // a Storage that has failed cancels what is under way
}
