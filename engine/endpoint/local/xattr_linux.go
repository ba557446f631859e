package local

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// kept reports whether an attribute is a transfer's to keep: what users set, and access control lists. The others
// (security.*, trusted.*) belong to the machine. See xattr(7).
func kept(name string) bool {
	return strings.HasPrefix(name, "user.") || name == "system.posix_acl_access" || name == "system.posix_acl_default"
}

// holdsXattrs asks for an attribute that isn't there.
func holdsXattrs(fd int) bool {
	_, err := unix.Fgetxattr(fd, "user.ketter", nil)
	return err == nil || err == unix.ENODATA
}

func holdsACLs(fd int) bool {
	_, err := unix.Fgetxattr(fd, "system.posix_acl_access", nil)
	return err == nil || err == unix.ENODATA
}

func xattrs(fd int) ([]endpoint.Xattr, error) {
	var list [4 << 10]byte // the size is asked only for a longer one
	n, err := unix.Flistxattr(fd, list[:])
	names := list[:max(n, 0)]
	if err == unix.ERANGE {
		names, err = grown(func(b []byte) (int, error) { return unix.Flistxattr(fd, b) })
	}
	if err == unix.ENOTSUP || err == unix.EPERM {
		return nil, nil
	}
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var all []endpoint.Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if !kept(name) {
			continue
		}
		value, err := grown(func(b []byte) (int, error) { return unix.Fgetxattr(fd, name, b) })
		if err == unix.ENODATA { // gone since it was listed
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
		if !kept(a.Name) { // it may come from a manifest
			return unix.EINVAL
		}
		err := retry(func() error { return unix.Fsetxattr(fd, a.Name, a.Value, 0) })
		if err == unix.ENOTSUP && strings.HasPrefix(a.Name, "system.") {
			continue // Capabilities says so
		}
		all = errors.Join(all, err)
	}
	return all
}
