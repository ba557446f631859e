package local

import (
	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// CanRemove asks for what unlinkat(2) and rmdir(2) will ask: write and search permission on the folder (or, if
// mayChange, being its owner, who can give them to himself), a file system that is not read-only, in a sticky folder ownership, and that name
// is no mount point.
func (d *dir) CanRemove(name string, mayChange bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	var folder, st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(d.fd, &folder) }); err != nil {
		return err
	}
	if err := retry(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return err
	}
	if typeOf(uint32(st.Mode)) == endpoint.Folder && st.Dev != folder.Dev {
		return unix.EBUSY
	}
	user := uint32(unix.Geteuid())
	if folder.Mode&unix.S_ISVTX != 0 && user != 0 && user != folder.Uid && user != st.Uid {
		return unix.EPERM
	}
	err := d.CanMake()
	if err == unix.EACCES && mayChange && user == folder.Uid {
		return nil
	}
	return err
}

// CanMake asks for what openat(2) and mkdirat(2) will ask. Quotas and what else a file system may mind show in trying alone.
func (d *dir) CanMake() error { return d.access(".", unix.W_OK|unix.X_OK) }

// CanRead asks for what openat(2) will ask.
func (d *dir) CanRead(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return d.access(name, unix.R_OK)
}

func (d *dir) access(name string, how uint32) error {
	return retry(func() error { return unix.Faccessat(d.fd, name, how, unix.AT_EACCESS) })
}
