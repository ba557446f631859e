package sftp

import (
	"errors"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
)

func (d *dir) Rename(name string, to endpoint.Dir, newName string) error {
	_, err := d.Publish(name, to, newName)
	return err
}

// Publish has no way to refuse at one go: SFTP's rename looks and then acts for all but files.
func (d *dir) Publish(name string, to endpoint.Dir, newName string) (inSteps bool, err error) {
	target, err := d.other(name, to, newName)
	if err != nil {
		return false, err
	}
	info, err := d.Lstat(name)
	if err != nil {
		return false, err
	}
	from, full := d.full(name), target.full(newName)
	switch {
	case info.Type == endpoint.Folder && d.storage.features.PosixRename:
		return true, d.storage.renameFolder(from, full)
	case info.Type != endpoint.File: // a server's look follows links: it takes one that leads nowhere for a free name
		if err := d.storage.isFree(full); err != nil {
			return false, err
		}
	}
	err = d.storage.mutate(func(on *session) error { return on.client.Rename(from, full) })
	return false, d.storage.renaming(full, err)
}

func (s *Storage) isFree(full string) error {
	_, err := s.lstat(full)
	switch err {
	case nil:
		return syscall.EEXIST
	case syscall.ENOENT:
		return nil
	default:
		return err
	}
}

// renameFolder takes the name with an empty folder, which fails when the name is taken, and renames over that: a folder can
// only ever replace an empty one. When the connection is lost in between nobody knows what is there: it stays.
func (s *Storage) renameFolder(from, full string) error {
	err := s.mutate(func(on *session) error { return on.client.Mkdir(full) })
	if err != nil {
		return s.making(full, err)
	}
	err = s.mutate(func(on *session) error { return on.client.PosixRename(from, full) })
	if err == nil || isLost(err) {
		return err
	}
	removed := s.mutate(func(on *session) error { return on.client.RemoveDirectory(full) })
	return errors.Join(s.renaming(full, err), s.errno(removed))
}
