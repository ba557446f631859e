package staging

import (
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// Keep says what of a source is kept here, and how what is made becomes durable.
type Keep struct {
	Modes, Xattrs bool
	Links         *Links // nil to make each name a file of its own
	Foreign       bool   // source and destination are different hosts, and so are their users
	SyncEach      bool   // each file and folder by itself, else the caller does it for all
}

// File ends a file that was written: its attributes, mode and time, in the order in which none undoes or hinders another
// (see setxattr(2) on who may). Its record may be added to the manifest after that. path is for messages.
func (k Keep) File(out endpoint.Writer, record manifest.Record, path string) error {
	if k.Xattrs && len(record.Xattrs) > 0 {
		if err := out.SetXattrs(record.Xattrs); err != nil {
			return failure.AtDestination("set attributes", path, err)
		}
	}
	if k.Modes {
		if err := out.SetMode(k.mode(record)); err != nil {
			return failure.AtDestination("set mode", path, err)
		}
	}
	if err := out.SetModTime(record.ModAt); err != nil {
		return failure.AtDestination("set time", path, err)
	}
	if k.SyncEach {
		if err := out.Sync(); err != nil {
			return failure.AtDestination("sync", path, err)
		}
	}
	return failure.AtDestination("close", path, out.Close())
}

// mode is the one that a name gets: on another host no program comes to run with its owner's rights because it does here.
func (k Keep) mode(record manifest.Record) uint32 {
	const setuid, setgid = 0o4000, 0o2000
	if k.Foreign && record.Type == endpoint.File {
		return record.Mode &^ (setuid | setgid)
	}
	return record.Mode
}

// Item is what File or Folder does, for a name that is made together with others.
func (k Keep) Item(record manifest.Record, data []byte) endpoint.Item {
	item := endpoint.Item{Path: record.Path, Type: record.Type, Data: data, Target: record.Target,
		Mode: k.mode(record), SetMode: k.Modes, ModAt: record.ModAt}
	if k.Xattrs && record.Type != endpoint.Symlink {
		item.Xattrs = record.Xattrs
	}
	return item
}

// Folder ends a folder that holds all that it is to hold: its attributes, mode and time. in is the folder it is in. Mode
// and time of a tree's top are left to the publish: nobody can rename a folder that he can't write to.
func (k Keep) Folder(in, folder endpoint.Dir, name string, record manifest.Record, top bool) error {
	path := folder.Path()
	if k.Xattrs && len(record.Xattrs) > 0 {
		if err := folder.SetXattrs(record.Xattrs); err != nil {
			return failure.AtDestination("set attributes", path, err)
		}
	}
	if !top {
		if err := k.folderMode(in, name, record, path); err != nil {
			return err
		}
	}
	if !k.SyncEach {
		return nil
	}
	return failure.AtDestination("sync", path, folder.Sync())
}

func (k Keep) folderMode(in endpoint.Dir, name string, record manifest.Record, path string) error {
	if k.Modes {
		if err := in.SetMode(name, record.Mode); err != nil {
			return failure.AtDestination("set mode", path, err)
		}
	}
	return failure.AtDestination("set time", path, in.SetModTime(name, record.ModAt))
}
