package agent

import (
	"context"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

// writeAll makes items in their order, as far as that can be seen: files of different names at once, a folder after all
// that came before it.
func (t *task) writeAll(root endpoint.Dir) error {
	sync, items, data := t.in.flag(), []endpoint.Item{}, t.data.bytes()
	for range t.in.count() {
		items = append(items, t.in.item(&data))
	}
	if t.in.err() != nil || len(data) > 0 {
		return errProtocol
	}
	m := &maker{ctx: t.ctx, sync: sync}
	m.group.SetLimit(makers)
	m.folders = folders{root: root, made: true, open: map[string]endpoint.Dir{}, idle: m.wait}
	defer m.folders.close()
	for i := range items {
		if m.stopped() {
			break
		}
		m.deal(i, &items[i])
	}
	m.wait()
	if m.failed == nil {
		return t.ctx.Err()
	}
	return m.failed
}

// maker makes the items of a WriteAll.
type maker struct {
	ctx     context.Context
	sync    bool
	folders folders
	group   errgroup.Group

	mu     sync.Mutex
	failed *endpoint.BulkError // the first, in the items' order
}

func (m *maker) wait() { _ = m.group.Wait() } // errors are in failed

func (m *maker) stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed != nil || m.ctx.Err() != nil
}

func (m *maker) fail(i int, op string, err error) {
	if err == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil || i < m.failed.Index {
		m.failed = &endpoint.BulkError{Index: i, Op: op, Err: err}
	}
}

func (m *maker) deal(i int, item *endpoint.Item) {
	if item.Type == endpoint.Folder {
		m.wait()
		op, err := m.folder(item)
		m.fail(i, op, err)
		return
	}
	dir, name, err := m.folders.holding(item.Path)
	if err != nil {
		m.fail(i, "make folder", err)
		return
	}
	m.group.Go(func() error {
		op, err := m.one(dir, name, item)
		m.fail(i, op, err)
		return nil
	})
}

func (m *maker) one(dir endpoint.Dir, name string, item *endpoint.Item) (op string, err error) {
	switch item.Type {
	case endpoint.File:
		return m.file(dir, name, item)
	case endpoint.Symlink:
		if err := dir.Symlink(item.Target, name); err != nil {
			return "make link", err
		}
		return "set time", dir.SetModTime(name, item.ModAt)
	default:
		return "create", syscall.EINVAL
	}
}

func (m *maker) file(dir endpoint.Dir, name string, item *endpoint.Item) (op string, err error) {
	mode := item.Mode
	if !item.SetMode {
		mode |= 0o600
	}
	w, err := dir.Create(name, mode)
	if err != nil {
		return "create", err
	}
	op, err = m.fill(w, item)
	if closed := w.Close(); err == nil && closed != nil {
		return "close", closed
	}
	return op, err
}

func (m *maker) fill(w endpoint.Writer, item *endpoint.Item) (op string, err error) {
	steps := []struct {
		op   string
		want bool
		do   func() error
	}{
		{"write", len(item.Data) > 0, func() error { _, err := w.Write(item.Data); return err }},
		{"set attributes", len(item.Xattrs) > 0, func() error { return w.SetXattrs(item.Xattrs) }},
		{"set mode", item.SetMode, func() error { return w.SetMode(item.Mode) }},
		{"set time", true, func() error { return w.SetModTime(item.ModAt) }},
		{"sync", m.sync, w.Sync},
	}
	for _, step := range steps {
		if !step.want {
			continue
		}
		if err := step.do(); err != nil {
			return step.op, err
		}
	}
	return "", nil
}

// folder completes one. Its mode and time come last, and are its parent's to set: it may be closed to its owner by then.
func (m *maker) folder(item *endpoint.Item) (op string, err error) {
	parent, name, err := m.folders.holding(item.Path)
	if err != nil {
		return "make folder", err
	}
	dir, err := m.folders.get(item.Path)
	if err != nil {
		return "make folder", err
	}
	if len(item.Xattrs) > 0 {
		if err := dir.SetXattrs(item.Xattrs); err != nil {
			return "set attributes", err
		}
	}
	if item.SetMode {
		if err := parent.SetMode(name, item.Mode); err != nil {
			return "set mode", err
		}
	}
	if !item.ModAt.IsZero() {
		if err := parent.SetModTime(name, item.ModAt); err != nil {
			return "set time", err
		}
	}
	if m.sync {
		return "sync", dir.Sync()
	}
	return "", nil
}
