// Latencyfs shows a folder at another place, where every operation takes a given time longer: a network mount without the
// network, for measuring. Nothing of it is meant for use in production.
//
//	latencyfs --delay 20ms FOLDER MOUNTPOINT
//
// It prints "mounted" when the mount answers, and unmounts and ends on SIGTERM and SIGINT.
//
// What stands for what, on an NFS or SMB mount:
//
//   - Every request of the kernel waits once for --delay before it is answered: lookup, getattr, open, create, read, write,
//     close (flush), setattr, mkdir, readdir, rename, fsync, xattrs and all others. Only forget, to which nobody waits for an
//     answer, does not. Any number wait at the same time, so that who asks in parallel pays once.
//   - Names and attributes are believed for --cache, 1s by default: what SMB mounts of Linux do (actimeo=1), and less than
//     NFS does (3s to 60s). With 0 each step of each path is asked again, which no usual mount does.
//   - Reads and writes carry up to 1 MiB, the usual rsize and wsize. Writes are gathered by the kernel, many are on their way
//     at once, and closing a file waits for them.
//   - Copying within the mount (copy_file_range) is one request, as the server-side copy of NFS 4.2 and SMB 3.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	maxRequest  = 1 << 20 // bytes; what Linux allows at most
	maxInFlight = 256     // of the requests that the kernel sends ahead of who waits for them, as read-ahead
	unmountIn   = 10 * time.Second
)

func main() {
	delay := flag.Duration("delay", 20*time.Millisecond, "how much longer each operation takes")
	cache := flag.Duration("cache", time.Second, "how long names and attributes are believed")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: latencyfs [--delay 20ms] [--cache 1s] FOLDER MOUNTPOINT")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 || *delay < 0 || *cache < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *delay, *cache); err != nil {
		fmt.Fprintln(os.Stderr, "latencyfs:", err)
		os.Exit(1)
	}
}

func run(folder, mountpoint string, delay, cache time.Duration) error {
	stop := make(chan os.Signal, 1) // before the mount, so that none is left behind
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	server, err := mount(folder, mountpoint, delay, cache)
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	gone := make(chan struct{})
	go func() {
		server.Wait()
		close(gone)
	}()
	select {
	case <-gone: // unmounted by somebody else
		return nil
	case <-stop:
		return unmount(server, gone)
	}
}

func mount(folder, mountpoint string, delay, cache time.Duration) (*fuse.Server, error) {
	root, err := fs.NewLoopbackRoot(folder)
	if err != nil {
		return nil, err
	}
	options := &fs.Options{
		EntryTimeout:    &cache,
		AttrTimeout:     &cache,
		NullPermissions: true, // a file with mode 0 stays one
		MountOptions: fuse.MountOptions{
			FsName:        "latencyfs",
			Name:          "latencyfs",
			DirectMount:   true, // as root without fusermount3
			MaxWrite:      maxRequest,
			MaxReadAhead:  maxRequest,
			MaxBackground: maxInFlight,
			// Else the kernel reads and writes the folder's files past this program, without any delay.
			DisabledCapabilities: fuse.CAP_PASSTHROUGH,
			// The kernel gathers writes; and does not ask for security.capability before each, which no NFS or SMB mount does.
			ExtraCapabilities: fuse.CAP_WRITEBACK_CACHE | fuse.CAP_HANDLE_KILLPRIV_V2,
		},
	}
	server, err := fuse.NewServer(&delayed{fs.NewNodeFS(root, options), delay}, mountpoint, &options.MountOptions)
	if err != nil {
		return nil, err
	}
	go server.Serve()
	return server, server.WaitMount()
}

// unmount tries again while somebody still has a file open.
func unmount(server *fuse.Server, gone <-chan struct{}) error {
	deadline := time.After(unmountIn)
	for {
		err := server.Unmount()
		select {
		case <-gone:
			return nil
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			return errors.Join(errors.New("still in use"), err)
		}
	}
}
