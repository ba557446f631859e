package agent

import (
	"os"

	"golang.org/x/sys/unix"
)

// widePipe is what an ordinary user may ask for, see pipe-max-size in proc(5).
const widePipe = 1 << 20

// widen gives a pipe room for more than the 64 KiB that it has, so that its two ends wake each other less often.
func widen(stream any) {
	file, ok := stream.(*os.File)
	if !ok {
		return
	}
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, widePipe) }) // it may be no pipe
	}
}
