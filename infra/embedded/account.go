package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that PostgreSQL runs as. nil means: as ourselves.
type account struct {
	name     string
	uid, gid uint32
}

// chooseAccount decides who runs the server. PostgreSQL refuses root, so as root an existing data directory decides by its
// owner, else the system's own account for it, else nobody.
func chooseAccount(dataDir string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if owner, err := ownerOf(dataDir); err == nil && owner != 0 {
		return accountOf(user.LookupId(strconv.FormatUint(uint64(owner), 10)))
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		if found, err := accountOf(user.Lookup(name)); err == nil {
			return found, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: " +
		"make one of them, run ketter as an ordinary user, or set DB_URL")
}

func accountOf(found *user.User, err error) (*account, error) {
	if err != nil {
		return nil, fmt.Errorf("can't look up the user that PostgreSQL should run as: %w", err)
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, fmt.Errorf("user %s has no usable ids: %w", found.Username, err)
	}
	return &account{name: found.Username, uid: uint32(uid), gid: uint32(gid)}, nil
}

func ownerOf(path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Uid, nil
}

func (a *account) String() string {
	if a == nil {
		return "the current user"
	}
	return a.name
}

// own gives path to the account. Some mounts ignore a chown, so the result is looked at.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		return err
	}
	if owner, err := ownerOf(path); err != nil || owner != a.uid {
		return fmt.Errorf("%s can't be given to user %s (%w)", path, a.name, errors.Join(err, errors.ErrUnsupported))
	}
	return nil
}

// attributes puts a process into a group of its own, so that Ctrl-C at the terminal reaches ketter alone, and makes it the
// account's, without any of root's groups.
func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: []uint32{}}
	}
	return attributes
}
