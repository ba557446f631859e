package agent

import (
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

func (d *dir) Mkdir(name string, mode uint32) error {
	if err := checkName(name); err != nil {
		return err
	}
	q := d.query()
	q.text(name)
	q.num(uint64(mode))
	q.num(d.device)
	in, err := d.s.ask(opMkdir, q, false)
	if err != nil {
		return err
	}
	if in.flag() {
		if made := in.opened(); !in.bad {
			d.s.remember(d.place.below(name), made)
		}
	}
	return in.err()
}

func (d *dir) Symlink(target, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	q := d.query()
	q.text(target)
	q.text(name)
	return d.do(opSymlink, q, false)
}

// two begins a request about a name here and a name in another folder of the same Storage.
func (d *dir) two(name string, to endpoint.Dir, newName string) (*encoder, error) {
	if checkName(name) != nil || checkName(newName) != nil {
		return nil, syscall.EINVAL
	}
	target, ok := endpoint.Unwrap(to).(*dir)
	if !ok || target.s != d.s {
		return nil, syscall.EXDEV
	}
	q := d.query()
	q.text(name)
	q.place(target.place)
	q.text(newName)
	return q, nil
}

func (d *dir) Link(name string, to endpoint.Dir, newName string) error {
	q, err := d.two(name, to, newName)
	if err != nil {
		return err
	}
	return d.do(opLink, q, false)
}

func (d *dir) Rename(name string, to endpoint.Dir, newName string) error {
	_, err := d.Publish(name, to, newName)
	return err
}

func (d *dir) Publish(name string, to endpoint.Dir, newName string) (inSteps bool, err error) {
	q, err := d.two(name, to, newName)
	if err != nil {
		return false, err
	}
	d.s.moved()
	in, err := d.s.ask(opPublish, q, false)
	if err != nil {
		return false, err
	}
	inSteps = in.flag()
	return inSteps, in.err()
}

func (d *dir) Remove(name string) error {
	d.s.moved()
	return d.named(opRemove, name, false, nil)
}

func (d *dir) RemoveDir(name string) error {
	d.s.moved()
	return d.named(opRemoveDir, name, false, nil)
}

func (d *dir) CanRemove(name string, mayChange bool) error {
	return d.named(opCanRemove, name, true, func(q *encoder) { q.flag(mayChange) })
}

func (d *dir) CanMake() error { return d.do(opCanMake, d.query(), true) }

func (d *dir) CanRead(name string) error { return d.named(opCanRead, name, true, nil) }

func (d *dir) SetMode(name string, mode uint32) error {
	d.s.moved() // it may not be opened any more
	return d.named(opSetMode, name, true, func(q *encoder) { q.num(uint64(mode)) })
}

func (d *dir) SetModTime(name string, t time.Time) error {
	return d.named(opSetModTime, name, true, func(q *encoder) { q.time(t) })
}

func (d *dir) SetXattrs(attributes []endpoint.Xattr) error {
	q := d.query()
	q.xattrs(attributes)
	if len(q.b) > maxControl {
		return syscall.E2BIG
	}
	return d.do(opSetXattrs, q, true)
}
