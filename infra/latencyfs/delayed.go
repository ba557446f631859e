package main

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// delayed waits before each operation of the file system below it. What has no method here (forget, and what go-fuse asks
// of itself) does not wait.
type delayed struct {
	fuse.RawFileSystem
	delay time.Duration
}

func (d *delayed) wait() { time.Sleep(d.delay) }

// readable makes of opening for writing one for reading too: a kernel that gathers writes reads what lies around them.
func readable(flags uint32) uint32 {
	if flags&syscall.O_ACCMODE == syscall.O_WRONLY {
		flags = flags&^syscall.O_ACCMODE | syscall.O_RDWR
	}
	return flags
}

// Writev is a write in pieces. Refused, it comes again as a Write.
func (d *delayed) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

func (d *delayed) Lookup(cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Lookup(cancel, in, name, out)
}

func (d *delayed) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.GetAttr(cancel, in, out)
}

func (d *delayed) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	const written = fuse.FATTR_MTIME | fuse.FATTR_CTIME // told by the kernel itself, after it wrote what it had gathered
	d.wait()
	status := d.RawFileSystem.SetAttr(cancel, in, out)
	if status == fuse.ENOENT && in.Valid == written {
		return fuse.OK // a file without a name any more needs no times; the failure would be syncfs's
	}
	return status
}

func (d *delayed) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Mknod(cancel, in, name, out)
}

func (d *delayed) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (d *delayed) Unlink(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	d.wait()
	return d.RawFileSystem.Unlink(cancel, in, name)
}

func (d *delayed) Rmdir(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	d.wait()
	return d.RawFileSystem.Rmdir(cancel, in, name)
}

func (d *delayed) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	d.wait()
	return d.RawFileSystem.Rename(cancel, in, oldName, newName)
}

func (d *delayed) Link(cancel <-chan struct{}, in *fuse.LinkIn, filename string, out *fuse.EntryOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Link(cancel, in, filename, out)
}

func (d *delayed) Symlink(cancel <-chan struct{}, in *fuse.InHeader, pointedTo, linkName string, out *fuse.EntryOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Symlink(cancel, in, pointedTo, linkName, out)
}

func (d *delayed) Readlink(cancel <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	d.wait()
	return d.RawFileSystem.Readlink(cancel, in)
}

func (d *delayed) Access(cancel <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.Access(cancel, in)
}

func (d *delayed) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	d.wait()
	return d.RawFileSystem.GetXAttr(cancel, in, attr, dest)
}

func (d *delayed) ListXAttr(cancel <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	d.wait()
	return d.RawFileSystem.ListXAttr(cancel, in, dest)
}

func (d *delayed) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, attr string, data []byte) fuse.Status {
	d.wait()
	return d.RawFileSystem.SetXAttr(cancel, in, attr, data)
}

func (d *delayed) RemoveXAttr(cancel <-chan struct{}, in *fuse.InHeader, attr string) fuse.Status {
	d.wait()
	return d.RawFileSystem.RemoveXAttr(cancel, in, attr)
}

func (d *delayed) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	d.wait()
	in.Flags = readable(in.Flags)
	return d.RawFileSystem.Create(cancel, in, name, out)
}

func (d *delayed) Tmpfile(cancel <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	d.wait()
	in.Flags = readable(in.Flags)
	return d.RawFileSystem.Tmpfile(cancel, in, out)
}

func (d *delayed) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	d.wait()
	in.Flags = readable(in.Flags)
	return d.RawFileSystem.Open(cancel, in, out)
}

func (d *delayed) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	d.wait()
	return d.RawFileSystem.Read(cancel, in, buf)
}

func (d *delayed) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Lseek(cancel, in, out)
}

func (d *delayed) GetLk(cancel <-chan struct{}, in *fuse.LkIn, out *fuse.LkOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.GetLk(cancel, in, out)
}

func (d *delayed) SetLk(cancel <-chan struct{}, in *fuse.LkIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.SetLk(cancel, in)
}

func (d *delayed) SetLkw(cancel <-chan struct{}, in *fuse.LkIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.SetLkw(cancel, in)
}

func (d *delayed) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	d.wait()
	d.RawFileSystem.Release(cancel, in)
}

func (d *delayed) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	d.wait()
	return d.RawFileSystem.Write(cancel, in, data)
}

func (d *delayed) CopyFileRange(cancel <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	d.wait()
	return d.RawFileSystem.CopyFileRange(cancel, in)
}

func (d *delayed) Ioctl(cancel <-chan struct{}, in *fuse.IoctlIn, inbuf []byte, output *fuse.IoctlOut, outbuf []byte) fuse.Status {
	d.wait()
	return d.RawFileSystem.Ioctl(cancel, in, inbuf, output, outbuf)
}

func (d *delayed) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.Flush(cancel, in)
}

func (d *delayed) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.Fsync(cancel, in)
}

func (d *delayed) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.Fallocate(cancel, in)
}

func (d *delayed) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.OpenDir(cancel, in, out)
}

func (d *delayed) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d.wait()
	return d.RawFileSystem.ReadDir(cancel, in, out)
}

func (d *delayed) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d.wait()
	return d.RawFileSystem.ReadDirPlus(cancel, in, out)
}

func (d *delayed) ReleaseDir(in *fuse.ReleaseIn) {
	d.wait()
	d.RawFileSystem.ReleaseDir(in)
}

func (d *delayed) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	d.wait()
	return d.RawFileSystem.FsyncDir(cancel, in)
}

func (d *delayed) StatFs(cancel <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.StatFs(cancel, in, out)
}

func (d *delayed) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	d.wait()
	return d.RawFileSystem.Statx(cancel, in, out)
}
