package local

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// Where the fields of struct linux_dirent64 are, see getdents64(2).
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// List reads the folder itself rather than through package os, which drops a name whose type the file system doesn't tell
// when it can't find it again by path.
func (d *dir) List(fn func(endpoint.Entry) error) error {
	d.listing.Lock()
	defer d.listing.Unlock()
	if _, err := unix.Seek(d.fd, 0, unix.SEEK_SET); err != nil {
		return err
	}
	buf := make([]byte, 16<<10)
	for {
		var n int
		err := retry(func() (err error) { n, err = unix.Getdents(d.fd, buf); return err })
		if err != nil || n == 0 {
			return err
		}
		if err := d.each(buf[:n], fn); err != nil {
			return err
		}
	}
}

func (d *dir) each(entries []byte, fn func(endpoint.Entry) error) error {
	for len(entries) > direntName {
		length := binary.NativeEndian.Uint16(entries[direntLength:])
		raw := entries[direntName:length]
		kind := entries[direntType]
		entries = entries[length:]
		if end := bytes.IndexByte(raw, 0); end >= 0 {
			raw = raw[:end]
		}
		name := string(raw)
		if name == "." || name == ".." {
			continue
		}
		entry, err := d.entry(name, kind)
		if err == unix.ENOENT { // gone since it was listed
			continue
		}
		if err != nil {
			return err
		}
		if err := fn(entry); err != nil {
			return err
		}
	}
	return nil
}

func (d *dir) entry(name string, kind byte) (endpoint.Entry, error) {
	switch kind {
	case unix.DT_REG:
		return endpoint.Entry{Name: name, Type: endpoint.File}, nil
	case unix.DT_DIR:
		return endpoint.Entry{Name: name, Type: endpoint.Folder}, nil
	case unix.DT_LNK:
		return endpoint.Entry{Name: name, Type: endpoint.Symlink}, nil
	case unix.DT_UNKNOWN:
		info, err := d.Lstat(name)
		return endpoint.Entry{Name: name, Type: info.Type}, err
	default:
		return endpoint.Entry{Name: name, Type: endpoint.Other}, nil
	}
}
