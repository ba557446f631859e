package zipfirst

import (
	"context"
	"errors"
	"io"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// unpacker unpacks one entry after the other; it holds what can be used again.
type unpacker struct {
	ctx     context.Context
	options Options
	archive string
	data    string // the path of what is being made
	find    *tree.Finder
	buffer  []byte
}

func (u *unpacker) all(chunks <-chan []entry) error {
	u.buffer = make([]byte, 256<<10)
	for batch := range chunks {
		for _, e := range batch {
			if err := u.one(e); err != nil {
				return err
			}
			u.options.Count(1, 0)
		}
	}
	return nil
}

func (u *unpacker) one(e entry) error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	dir, name, err := u.find.Find(e.record.Path)
	if err != nil {
		return failure.AtDestination("find folder", tree.Join(u.data, e.record.Path), err)
	}
	in, err := e.file.Open()
	if err != nil {
		return archiveFailed("open entry", u.archive, err)
	}
	defer in.Close()
	if e.record.Type == endpoint.Symlink {
		return u.symlink(in, dir, name, e.record)
	}
	return u.file(in, dir, name, e.record)
}

func (u *unpacker) symlink(in io.Reader, dir endpoint.Dir, name string, record manifest.Record) error {
	target, err := io.ReadAll(io.LimitReader(in, int64(len(record.Target))+1))
	if err != nil {
		return archiveFailed("read entry", u.archive, err)
	}
	if string(target) != record.Target {
		return refused(u.archive, "a symbolic link in it leads elsewhere than in the manifest: "+record.Path)
	}
	path := tree.Join(dir.Path(), name)
	if err := dir.Symlink(record.Target, name); err != nil {
		return failure.AtDestination("make link", path, err)
	}
	return failure.AtDestination("set time", path, dir.SetModTime(name, record.ModAt))
}

func (u *unpacker) file(in io.Reader, dir endpoint.Dir, name string, record manifest.Record) error {
	path := tree.Join(dir.Path(), name)
	out, err := dir.Create(name)
	if err != nil {
		return failure.AtDestination("create", path, err)
	}
	defer out.Close()
	if err := u.bytes(in, out, path, record.Size); err != nil {
		return err
	}
	if err := out.SetMode(record.Mode); err != nil {
		return failure.AtDestination("set mode", path, err)
	}
	if err := out.SetModTime(record.ModAt); err != nil {
		return failure.AtDestination("set time", path, err)
	}
	if u.options.SyncEach {
		if err := out.Sync(); err != nil {
			return failure.AtDestination("sync", path, err)
		}
	}
	return failure.AtDestination("close", path, out.Close())
}

// bytes unpacks what must be exactly size bytes, whatever the archive says, and lets the zip's own checksum be checked.
func (u *unpacker) bytes(in io.Reader, out io.Writer, path string, size int64) error {
	left := size
	for {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(u.buffer)
		if left -= int64(n); left < 0 {
			return refused(u.archive, "it holds more of a file than the manifest lists: "+path)
		}
		if _, err := out.Write(u.buffer[:n]); err != nil {
			return failure.AtDestination("write", path, err)
		}
		u.options.Count(0, int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return archiveFailed("read entry", u.archive, err)
		}
	}
	if left > 0 {
		return refused(u.archive, "it holds less of a file than the manifest lists: "+path)
	}
	return nil
}
