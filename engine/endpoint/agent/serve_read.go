package agent

import (
	"context"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/ketter/ketter/engine/endpoint"
)

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
