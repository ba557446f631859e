package agent

import (
	"cmp"
	"context"
	"io"
	"strings"
	"sync"
	"syscall"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

const (
	makers    = 8  // of files at once in a WriteAll: they mostly wait for a sync
	readers   = 4  // of files at once in a ReadAll
	digesters = 2  // of files at once in a Digests
	maxOpen   = 64 // folders that a bulk request keeps open
	batchSize = 512 << 10
	maxWhole  = maxData
)

// folders are those that a bulk request has to do with, each opened once.
type folders struct {
	root endpoint.Dir
	made bool // those that don't exist are made
	open map[string]endpoint.Dir
	idle func() // waits until nobody uses one
}

// split cuts a path into its folder and its last name.
func split(path string) (folder, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// holding opens the folder that a path's last name is in.
func (f *folders) holding(path string) (dir endpoint.Dir, name string, err error) {
	for part := range strings.SplitSeq(path, "/") {
		if err := checkName(part); err != nil {
			return nil, "", err
		}
	}
	folder, name := split(path)
	dir, err = f.get(folder)
	return dir, name, err
}

// get opens a folder by its path; fewer names of it have to be walked where one above is open.
func (f *folders) get(path string) (endpoint.Dir, error) {
	if path == "" {
		return f.root, nil
	}
	if dir := f.open[path]; dir != nil {
		return dir, nil
	}
	if len(f.open) >= maxOpen {
		f.close()
	}
	at, rest := f.root, path
	for above, _ := split(path); above != ""; above, _ = split(above) {
		if dir := f.open[above]; dir != nil {
			at, rest = dir, path[len(above)+1:]
			break
		}
	}
	dir, err := f.walk(at, rest)
	if err == nil {
		f.open[path] = dir
	}
	return dir, err
}

func (f *folders) walk(at endpoint.Dir, names string) (endpoint.Dir, error) {
	found, done := at, func() {}
	for names != "" {
		var name string
		name, names, _ = strings.Cut(names, "/")
		next, err := f.enter(found, name)
		done()
		if err != nil {
			return nil, err
		}
		found, done = next, func() { next.Close() }
	}
	return found, nil
}

func (f *folders) enter(dir endpoint.Dir, name string) (endpoint.Dir, error) {
	next, err := dir.OpenDir(name)
	if err != syscall.ENOENT || !f.made {
		return next, err
	}
	if err := dir.Mkdir(name, 0o700); err != nil && err != syscall.EEXIST { // another call may make it, too
		return nil, err
	}
	return dir.OpenDir(name)
}

func (f *folders) close() {
	f.idle()
	for _, dir := range f.open {
		dir.Close()
	}
	f.open = map[string]endpoint.Dir{}
}

func (e *encoder) item(i *endpoint.Item) {
	e.text(i.Path)
	e.num(uint64(i.Type))
	e.num(uint64(len(i.Data)))
	e.text(i.Target)
	e.num(uint64(i.Mode))
	e.flag(i.SetMode)
	e.time(i.ModAt)
	e.xattrs(i.Xattrs)
}

// item takes its data from what is left of the frame's.
func (d *decoder) item(data *[]byte) endpoint.Item {
	i := endpoint.Item{Path: d.text(), Type: endpoint.Type(d.size(int(endpoint.Other)))}
	n := d.size(len(*data))
	i.Data, *data = (*data)[:n], (*data)[n:]
	i.Target, i.Mode, i.SetMode, i.ModAt, i.Xattrs = d.text(), uint32(d.num()), d.flag(), d.time(), d.xattrs()
	return i
}

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
	if err := parent.SetModTime(name, item.ModAt); err != nil {
		return "set time", err
	}
	if m.sync {
		return "sync", dir.Sync()
	}
	return "", nil
}

func (e *encoder) whole(w *endpoint.Whole) {
	e.info(w.Before)
	e.info(w.After)
	e.num(uint64(len(w.Data)))
	e.flag(w.TooLarge)
	e.xattrs(w.Xattrs)
	e.error(w.Err)
}

func (d *decoder) whole(data *[]byte) endpoint.Whole {
	w := endpoint.Whole{Before: d.info(), After: d.info()}
	n := d.size(len(*data))
	w.Data, *data = (*data)[:n], (*data)[n:]
	w.TooLarge, w.Xattrs, w.Err = d.flag(), d.xattrs(), d.error()
	return w
}

// wholeFile is a file in memory, until it is sent.
type wholeFile struct {
	endpoint.Whole
	data *buffer
}

// readAll sends files in their order, several in a frame, and reads a few ahead.
func (t *task) readAll(root endpoint.Dir) error {
	xattrs, paths := t.in.flag(), t.in.texts()
	if err := t.in.err(); err != nil {
		return err
	}
	t.yield()
	select {
	case t.s.reading <- struct{}{}:
		defer func() { <-t.s.reading }()
	case <-t.ctx.Done():
	}
	t.s.slots <- struct{}{}

	ordered := make(chan chan *wholeFile, readers)
	var ahead sync.WaitGroup
	ahead.Go(func() { defer close(ordered); readAhead(t.ctx, root, paths, xattrs, ordered) })
	err := t.sendFiles(ordered)
	t.cancel()
	for next := range ordered {
		(<-next).data.put()
	}
	ahead.Wait()
	return err
}

func readAhead(ctx context.Context, root endpoint.Dir, paths []string, xattrs bool, ordered chan<- chan *wholeFile) {
	var group errgroup.Group
	group.SetLimit(readers)
	wait := func() { _ = group.Wait() } // errors are the files'
	open := folders{root: root, open: map[string]endpoint.Dir{}, idle: wait}
	defer open.close()
	for _, path := range paths {
		next := make(chan *wholeFile, 1)
		select {
		case ordered <- next:
		case <-ctx.Done():
			return
		}
		dir, name, err := open.holding(path)
		if err != nil {
			next <- &wholeFile{endpoint.Whole{Err: err}, &buffer{}}
			continue
		}
		group.Go(func() error { next <- readWhole(dir, name, xattrs); return nil })
	}
}

func readWhole(dir endpoint.Dir, name string, xattrs bool) *wholeFile {
	w := &wholeFile{data: &buffer{}}
	f, err := dir.Open(name)
	if err != nil {
		w.Err = err
		return w
	}
	defer f.Close()
	if w.Before, w.Err = f.Info(); w.Err != nil {
		return w
	}
	if w.Before.Type != endpoint.File || w.Before.Size > maxWhole {
		w.TooLarge = true
		return w
	}
	w.data = getBuffer(int(w.Before.Size) + 1) // one more, to find the end
	n, err := f.ReadAt(w.data.bytes(), 0)
	w.Data = w.data.bytes()[:min(n, maxWhole)]
	if err != nil && err != io.EOF {
		w.Err = err
		return w
	}
	if xattrs {
		w.Xattrs, w.Err = f.Xattrs()
	}
	if w.Err == nil {
		w.After, w.Err = f.Info()
	}
	return w
}

// sendFiles gathers files until there are enough for a frame.
func (t *task) sendFiles(ordered <-chan chan *wholeFile) error {
	var batch []*wholeFile
	size := 0
	page := &encoder{}
	flush := func() error {
		all := &encoder{}
		all.num(uint64(len(batch)))
		all.b = append(all.b, page.b...)
		var data [][]byte
		for _, w := range batch {
			data = append(data, w.Data)
		}
		err := t.part(all, data...)
		for _, w := range batch {
			w.data.put()
		}
		batch, size, page.b = batch[:0], 0, page.b[:0]
		return err
	}
	for next := range ordered {
		w := <-next
		if len(batch) > 0 && (size+len(w.Data) > batchSize || len(page.b) > pageSize) {
			if err := flush(); err != nil {
				w.data.put()
				return err
			}
		}
		at := len(page.b)
		page.whole(&w.Whole)
		if len(page.b)-at > maxControl/2 { // attributes of a size that nobody has
			page.b = page.b[:at]
			w.Whole = endpoint.Whole{Before: w.Before, After: w.After, Err: syscall.E2BIG}
			page.whole(&w.Whole)
		}
		batch, size = append(batch, w), size+len(w.Data)
	}
	if err := t.ctx.Err(); err != nil || len(batch) == 0 {
		return err
	}
	return flush()
}

// digests reads files anew, two at a time.
func (t *task) digests(root endpoint.Dir, out *encoder) error {
	paths := t.in.texts()
	if err := t.in.err(); err != nil {
		return err
	}
	all := make([]endpoint.Digest, len(paths))
	var group errgroup.Group
	group.SetLimit(digesters)
	open := folders{root: root, open: map[string]endpoint.Dir{}, idle: func() { _ = group.Wait() }}
	for i, path := range paths {
		dir, name, err := open.holding(path)
		if err = cmp.Or(err, t.ctx.Err()); err != nil {
			all[i].Err = err
			continue
		}
		group.Go(func() error { all[i] = t.digest(dir, name); return nil })
	}
	open.close()
	for _, d := range all {
		out.signed(d.Size)
		out.num(d.XXH64)
		out.error(d.Err)
	}
	return t.ctx.Err()
}

func (t *task) digest(dir endpoint.Dir, name string) (d endpoint.Digest) {
	f, err := dir.Open(name)
	if err != nil {
		return endpoint.Digest{Err: err}
	}
	defer f.Close()
	if info, err := f.Info(); err != nil || info.Type != endpoint.File {
		return endpoint.Digest{Err: cmp.Or[error](err, syscall.EINVAL)}
	}
	_ = f.DropCache() // best effort, says the endpoint
	sum, b := xxhash.New(), getBuffer(256<<10)
	defer b.put()
	for {
		n, err := f.Read(b.bytes())
		sum.Write(b.bytes()[:n])
		d.Size += int64(n)
		if err == io.EOF {
			d.XXH64 = sum.Sum64()
			return d
		}
		if err = cmp.Or(err, t.ctx.Err()); err != nil {
			return endpoint.Digest{Err: err}
		}
	}
}
