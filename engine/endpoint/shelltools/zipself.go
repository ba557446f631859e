package shelltools

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// trial is what an unzip has to bring before it is trusted: all that zippable lets through and some unzip is known to mind.
func trial() []endpoint.Item {
	items := []endpoint.Item{{Path: "sub folder", Type: endpoint.Folder, Mode: 0o750, SetMode: true, ModAt: time.Unix(1e9, 0)}}
	for i, name := range []string{
		"plain", "UPPER", "-x", "a b ", "$(x)`y`", "[z]?*", "'q\"", "ção", "日本", "b\u0301", "a#U00e7", "name.", "..a", "%s", "~", "a:b", "sub folder/-d",
	} {
		items = append(items, endpoint.Item{Path: name, Data: []byte(name + "\r\n\x00\x1a\xff"), Mode: []uint32{0o644, 0o444, 0o755, 0o666}[i%4], SetMode: true,
			ModAt: time.Unix(1e9+int64(i)*15778800, 0)}) // summer and winter
	}
	return append(items, endpoint.Item{Path: "empty", Mode: 0o600, SetMode: true, ModAt: time.Unix(1, 0)})
}

// tryUnzip has unzip make the trial in a folder of its own, which it removes, and compares. It does so once for all folders.
func (f *folder) tryUnzip(ctx context.Context) error {
	f.host.trying.Lock()
	defer f.host.trying.Unlock()
	if f.host.tried {
		return f.host.refusing
	}
	err := f.trial(ctx)
	var exit *remote.ExitError
	var wrong *wrongError
	switch {
	case err == nil:
		f.host.tried = true
	case errors.As(err, &exit) && exit.Status < exitFolder || errors.As(err, &wrong):
		f.host.tried, f.host.refusing = true, unsupported("what it was tried with: "+err.Error())
		return f.host.refusing
	}
	return err
}

func (f *folder) trial(ctx context.Context) (err error) {
	name := ".ketter-bulk-" + rand.Text()
	if err := f.Mkdir(name, 0o700); err != nil {
		return err
	}
	defer func() { err = firstError(err, tree.RemoveAll(context.WithoutCancel(ctx), f.Dir, name)) }()
	dir, err := f.Dir.OpenDir(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	in := &folder{Dir: dir, path: f.path + "/" + name, host: f.host}
	items := trial()
	if err := in.unzip(ctx, items, func(err error) error { return err }); err != nil {
		return err
	}
	if err := in.attributes(ctx, items, notByUnzip); err != nil {
		return err
	}
	return in.compare(items)
}

// wrongError tells what a tool made otherwise.
type wrongError struct{ what string }

func (e *wrongError) Error() string { return e.what }

// compare reads items anew.
func (f *folder) compare(items []endpoint.Item) error {
	find := tree.NewFinder(f.Dir)
	defer find.Close()
	for _, item := range items {
		dir, name, err := find.Find(item.Path)
		if err != nil {
			return &wrongError{err.Error()}
		}
		info, err := dir.Lstat(name)
		if err != nil || info.Type != item.Type || info.Mode != f.host.mode(item) || !info.ModAt.Equal(item.ModAt) {
			return &wrongError{fmt.Sprintf("%q is %+v, %v", item.Path, info, err)}
		}
		if item.Type != endpoint.File {
			continue
		}
		if data, err := readName(dir, name, len(item.Data)+1); err != nil || string(data) != string(item.Data) {
			return &wrongError{fmt.Sprintf("%q has %q, %v", item.Path, data, err)}
		}
	}
	return nil
}

func readName(dir endpoint.Dir, name string, most int) ([]byte, error) {
	r, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, int64(most)))
}
