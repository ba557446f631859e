package agent

import (
	"syscall"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
)

// pageSize is about how much of a listing is sent at once.
const pageSize = 32 << 10

// folderOps are what is done in one folder.
var folderOps = map[op]func(d endpoint.Dir, in *decoder, out *encoder) error{
	opInfo: func(d endpoint.Dir, in *decoder, out *encoder) error {
		return infoInto(out, in, d.Info)
	},
	opLstat: func(d endpoint.Dir, in *decoder, out *encoder) error {
		name := in.text()
		return infoInto(out, in, func() (endpoint.Info, error) { return d.Lstat(name) })
	},
	opReadlink: func(d endpoint.Dir, in *decoder, out *encoder) error {
		name := in.text()
		if err := in.err(); err != nil {
			return err
		}
		target, err := d.Readlink(name)
		out.text(target)
		return err
	},
	opOpenDir: openDir,
	opXattrs: func(d endpoint.Dir, in *decoder, out *encoder) error {
		return xattrsInto(out, in, d.Xattrs)
	},
	opMkdir: mkdir,
	opSymlink: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		target, name := in.text(), in.text()
		return sound(in, func() error { return d.Symlink(target, name) })
	},
	opRemove: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name := in.text()
		return sound(in, func() error { return d.Remove(name) })
	},
	opRemoveDir: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name := in.text()
		return sound(in, func() error { return d.RemoveDir(name) })
	},
	opCanRemove: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name, mayChange := in.text(), in.flag()
		return sound(in, func() error { return d.CanRemove(name, mayChange) })
	},
	opCanMake: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		return sound(in, d.CanMake)
	},
	opCanRead: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name := in.text()
		return sound(in, func() error { return d.CanRead(name) })
	},
	opSetMode: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name, mode := in.text(), uint32(in.num())
		return sound(in, func() error { return d.SetMode(name, mode) })
	},
	opSetModTime: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		name, t := in.text(), in.time()
		return sound(in, func() error { return d.SetModTime(name, t) })
	},
	opSetXattrs: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		all := in.xattrs()
		return sound(in, func() error { return d.SetXattrs(all) })
	},
	opSync: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		return sound(in, d.Sync)
	},
	opSyncAll: func(d endpoint.Dir, in *decoder, _ *encoder) error {
		return sound(in, d.SyncAll)
	},
	opSpace: func(d endpoint.Dir, in *decoder, out *encoder) error {
		return sound(in, func() error {
			space, err := d.Space()
			out.num(space.Bytes)
			out.num(space.Inodes)
			return err
		})
	},
}

// sound does what was asked if it was asked in full.
func sound(in *decoder, do func() error) error {
	if err := in.err(); err != nil {
		return err
	}
	return do()
}

func infoInto(out *encoder, in *decoder, ask func() (endpoint.Info, error)) error {
	return sound(in, func() error {
		info, err := ask()
		out.info(info)
		return err
	})
}

func xattrsInto(out *encoder, in *decoder, ask func() ([]endpoint.Xattr, error)) error {
	return sound(in, func() error {
		all, err := ask()
		out.xattrs(all)
		if len(out.b) > maxControl {
			return syscall.E2BIG
		}
		return err
	})
}

// openDir tells what a folder is, and what it can do where that is on another device than the client knows.
func openDir(d endpoint.Dir, in *decoder, out *encoder) error {
	name, device := in.text(), in.num()
	if err := in.err(); err != nil {
		return err
	}
	folder, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	info, err := folder.Info()
	if err != nil {
		return err
	}
	out.info(info)
	out.flag(info.Device != device)
	if info.Device != device {
		out.capabilities(folder.Capabilities())
	}
	return nil
}

// mkdir tells whether the new folder could be opened, too, which is what mostly comes next.
func mkdir(d endpoint.Dir, in *decoder, out *encoder) error {
	name, mode, device := in.text(), uint32(in.num()), in.num()
	if err := in.err(); err != nil {
		return err
	}
	if err := d.Mkdir(name, mode); err != nil {
		return err
	}
	made := &encoder{}
	again := &encoder{}
	again.text(name)
	again.num(device)
	opened := openDir(d, &decoder{b: again.b}, made) == nil
	out.flag(opened)
	if opened {
		out.b = append(out.b, made.b...)
	}
	return nil
}

// list sends a folder's names by the page, each with what is known of it where that was asked for.
func (t *task) list() error {
	d, err := t.s.openAlone(t.in)
	if err != nil {
		return err
	}
	defer d.Close()
	page, sent := &encoder{}, time.Now()
	err = d.List(func(e endpoint.Entry) error {
		if err := t.entry(d, e, page); err != nil || len(page.b) < pageSize && time.Since(sent) < time.Second {
			return err
		}
		err := t.part(page)
		page.b, sent = page.b[:0], time.Now()
		return err
	})
	if err == nil && len(page.b) > 0 {
		err = t.part(page)
	}
	return err
}

func (t *task) entry(d endpoint.Dir, e endpoint.Entry, page *encoder) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	if t.op == opList {
		page.text(e.Name)
		page.num(uint64(e.Type))
		return nil
	}
	info, err := d.Lstat(e.Name)
	if err == syscall.ENOENT { // gone since it was listed
		return nil
	}
	if err == nil {
		page.text(e.Name)
		page.info(info)
	}
	return err
}
