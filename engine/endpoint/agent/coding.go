package agent

import (
	"encoding/binary"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// encoder appends control fields: numbers as varints, strings with their length before them.
type encoder struct{ b []byte }

func (e *encoder) num(v uint64)     { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) signed(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) text(s string)    { e.num(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) blob(b []byte)    { e.num(uint64(len(b))); e.b = append(e.b, b...) }
func (e *encoder) time(t time.Time) { e.signed(t.Unix()); e.num(uint64(t.Nanosecond())) }

func (e *encoder) flag(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) texts(all []string) {
	e.num(uint64(len(all)))
	for _, s := range all {
		e.text(s)
	}
}

func (e *encoder) info(i endpoint.Info) {
	e.num(uint64(i.Type))
	e.signed(i.Size)
	e.signed(i.Allocated)
	e.num(uint64(i.Mode))
	e.time(i.ModAt)
	e.num(i.Device)
	e.num(i.Inode)
	e.num(i.Links)
	e.num(uint64(i.Owner))
	e.num(uint64(i.Group))
}

func (e *encoder) xattrs(all []endpoint.Xattr) {
	e.num(uint64(len(all)))
	for _, a := range all {
		e.text(a.Name)
		e.blob(a.Value)
	}
}

func (e *encoder) capabilities(c endpoint.Capabilities) {
	for _, v := range []bool{c.Symlinks, c.HardLinks, c.Xattrs, c.ACLs, c.Modes, c.Holes, c.SyncWhole, c.Locks} {
		e.flag(v)
	}
	e.signed(int64(c.ModTimeStep))
	e.text(c.Realm)
	e.text(c.Epoch)
}

// decoder takes control fields apart. What isn't there is zero, and bad says so once for all.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

// err tells that something was missing, or is left over.
func (d *decoder) err() error {
	if d.bad || len(d.b) > 0 {
		return errProtocol
	}
	return nil
}

func (d *decoder) num() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// size is a number that can be the length of something in memory.
func (d *decoder) size(most int) int {
	v := d.num()
	if v > uint64(most) {
		d.fail()
		return 0
	}
	return int(v)
}

// count is a number of things to follow, each of at least one byte.
func (d *decoder) count() int { return d.size(len(d.b)) }

// blob is part of what is decoded, not a copy.
func (d *decoder) blob() []byte {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) text() string { return string(d.blob()) }

func (d *decoder) flag() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) time() time.Time {
	seconds := d.signed()
	return time.Unix(seconds, int64(d.size(999_999_999)))
}

func (d *decoder) texts() []string {
	var all []string
	for range d.count() {
		all = append(all, d.text())
	}
	return all
}

// length is a number of bytes of storage.
func (d *decoder) length() int64 {
	v := d.signed()
	if v < 0 {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) info() endpoint.Info {
	return endpoint.Info{
		Type:      endpoint.Type(d.size(int(endpoint.Other))),
		Size:      d.length(),
		Allocated: d.length(),
		Mode:      uint32(d.size(0o7777)),
		ModAt:     d.time(),
		Device:    d.num(),
		Inode:     d.num(),
		Links:     d.num(),
		Owner:     uint32(d.num()),
		Group:     uint32(d.num()),
	}
}

func (d *decoder) xattrs() []endpoint.Xattr {
	var all []endpoint.Xattr
	for range d.count() {
		all = append(all, endpoint.Xattr{Name: d.text(), Value: append([]byte{}, d.blob()...)})
	}
	return all
}

func (d *decoder) capabilities() endpoint.Capabilities {
	c := endpoint.Capabilities{Far: true}
	for _, v := range []*bool{&c.Symlinks, &c.HardLinks, &c.Xattrs, &c.ACLs, &c.Modes, &c.Holes, &c.SyncWhole, &c.Locks} {
		*v = d.flag()
	}
	c.ModTimeStep = time.Duration(d.signed())
	c.Realm = d.text()
	c.Epoch = d.text()
	return c
}
