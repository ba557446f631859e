package local

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ketter/ketter/engine/endpoint"
)

// retry repeats a system call that a signal interrupted; Go's runtime sends itself signals all the time.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func openat(at int, name string, flags int, mode uint32) (int, error) {
	var fd int
	err := retry(func() (err error) { fd, err = unix.Openat(at, name, flags|unix.O_CLOEXEC, mode); return err })
	return fd, err
}

func fstat(fd int) (endpoint.Info, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return endpoint.Info{}, err
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) endpoint.Info {
	info := endpoint.Info{
		Type:   typeOf(uint32(st.Mode)),
		Mode:   uint32(st.Mode) & 0o7777,
		ModAt:  time.Unix(int64(st.Mtim.Sec), int64(st.Mtim.Nsec)),
		Device: uint64(st.Dev),
		Inode:  st.Ino,
		Links:  uint64(st.Nlink),
		Owner:  st.Uid,
		Group:  st.Gid,
	}
	if info.Type == endpoint.File {
		info.Size = st.Size
		info.Allocated = int64(st.Blocks) * 512 // stat(2)
	}
	return info
}

func typeOf(mode uint32) endpoint.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return endpoint.File
	case unix.S_IFDIR:
		return endpoint.Folder
	case unix.S_IFLNK:
		return endpoint.Symlink
	default:
		return endpoint.Other
	}
}
