package direct

import (
	"errors"
	"io/fs"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// byHand makes items one by one, where the other side can't make them together.
func (w *bulkWriting) byHand(items []endpoint.Item, records []manifest.Record) error {
	find := tree.NewMaker(w.data)
	defer find.Close()
	for i, item := range items {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		path := tree.Join(w.data.Path(), item.Path)
		in, name, err := find.Find(item.Path)
		if err != nil {
			return failure.AtDestination("make folder", path, err)
		}
		switch item.Type {
		case endpoint.Folder:
			err = w.folder(in, name, records[i])
		case endpoint.Symlink:
			err = makeLink(in, name, records[i])
		default:
			err = w.options.file(in, name, item.Data, records[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file makes one file of data.
func (o Options) file(in endpoint.Dir, name string, data []byte, record manifest.Record) error {
	path := tree.Join(in.Path(), name)
	out, err := in.Create(name, record.Mode|0o600)
	if err != nil {
		return failure.AtNew("create", path, err)
	}
	defer out.Close()
	if _, err := out.WriteAt(data, 0); err != nil {
		return failure.AtDestination("write", path, err)
	}
	return o.Keep.File(out, record, path)
}

func makeLink(in endpoint.Dir, name string, record manifest.Record) error {
	path := tree.Join(in.Path(), name)
	if err := in.Symlink(record.Target, name); err != nil {
		return failure.AtNewLink(path, err)
	}
	return failure.AtDestination("set time", path, in.SetModTime(name, record.ModAt))
}

// folder ends a folder that is complete; an empty one is not there yet.
func (w *bulkWriting) folder(in endpoint.Dir, name string, record manifest.Record) error {
	path := tree.Join(in.Path(), name)
	if err := in.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return failure.AtNew("make folder", path, err)
	}
	folder, err := in.OpenDir(name)
	if err != nil {
		return failure.AtDestination("open folder", path, err)
	}
	defer folder.Close()
	above, _ := tree.Split(record.Path)
	return w.options.Keep.Folder(in, folder, name, record, above == "")
}
