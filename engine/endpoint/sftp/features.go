package sftp

import (
	"time"

	"github.com/pkg/sftp"

	"github.com/ketter/ketter/engine/endpoint"
)

// Features says what the server has beyond SFTP's own, for an event.
type Features struct {
	PosixRename bool // posix-rename@openssh.com: folders are published over an empty one of the same name
	Fsync       bool // fsync@openssh.com: files are made durable one by one
	StatVFS     bool // statvfs@openssh.com: free space is known
	HardLink    bool // hardlink@openssh.com
}

func featuresOf(client *sftp.Client) Features {
	has := func(name, version string) bool {
		v, ok := client.HasExtension(name)
		return ok && v == version
	}
	return Features{PosixRename: has("posix-rename@openssh.com", "1"), Fsync: has("fsync@openssh.com", "1"),
		StatVFS: has("statvfs@openssh.com", "2"), HardLink: has("hardlink@openssh.com", "1")}
}

// Missing is what isn't there, in the words of an event: first what SFTP itself lacks.
func (f Features) Missing() []string {
	missing := []string{"times finer than a second", "extended attributes", "locks", "times of symbolic links"}
	for _, m := range []struct {
		has  bool
		what string
	}{
		{f.PosixRename, "posix-rename@openssh.com (a folder's publishing relies on the server's own look whether the name is free)"},
		{f.Fsync, "fsync@openssh.com (when files become durable is up to the host)"},
		{f.StatVFS, "statvfs@openssh.com (free space is not known beforehand)"},
		{f.HardLink, "hardlink@openssh.com (hard links become files of their own)"},
	} {
		if !m.has {
			missing = append(missing, m.what)
		}
	}
	return missing
}

// Describe says what the server has.
func (s *Storage) Describe() Features { return s.features }

func (s *Storage) capabilities() endpoint.Capabilities {
	return endpoint.Capabilities{Symlinks: true, HardLinks: s.features.HardLink, Modes: true, ModTimeStep: time.Second,
		Far: true, InFlight: min(filesPerConnection*s.options.Connections, mostFiles)}
}

// Each file has a request on its way all the time and costs several round trips, so many at once is fast. OpenSSH's server
// may have some 1,000 open on a connection (RLIMIT_NOFILE), those included that are still being closed; this process may
// have mostFiles pieces of data in memory.
const (
	filesPerConnection = 64
	mostFiles          = 512
)
