package local

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

func xattrs(fd int) ([]endpoint.Xattr, error) {
	names, err := grown(func(b []byte) (int, error) { return unix.Flistxattr(fd, b) })
	if err == unix.ENOTSUP || err == unix.EPERM {
		return nil, nil
	}
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var all []endpoint.Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := grown(func(b []byte) (int, error) { return unix.Fgetxattr(fd, name, b) })
		if err == unix.ENOATTR { // gone since it was listed
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, endpoint.Xattr{Name: name, Value: value})
	}
	return all, nil
}

func setXattrs(fd int, attributes []endpoint.Xattr) error {
	var all error
	for _, a := range attributes {
		all = errors.Join(all, retry(func() error { return unix.Fsetxattr(fd, a.Name, a.Value, 0) }))
	}
	return all
}
