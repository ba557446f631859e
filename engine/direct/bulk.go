package direct

import (
	"errors"
	"sync"
	"time"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/manifest"
)

// bulkWriting is the side that takes many names at once.
type bulkWriting struct {
	*copier
	out     endpoint.BulkWriter
	limits  endpoint.BulkLimits
	calls   chan struct{} // one for each under way
	bundles chan struct{} // one for each bundle that takes memory: those under way, and as many that come together
	buffers sync.Pool

	mu      sync.Mutex // guards folders; held while they are handed over, so that they stay in their order
	folders []manifest.Record
}

func newBulkWriting(c *copier, out endpoint.BulkWriter) *bulkWriting {
	limits := out.WriteLimits()
	w := &bulkWriting{copier: c, out: out, limits: limits, calls: make(chan struct{}, max(1, limits.Calls)),
		bundles: make(chan struct{}, 2*max(1, limits.Calls))}
	w.buffers.New = func() any { b := make([]byte, 0, limits.Bytes); return &b }
	return w
}

func (w *bulkWriting) write(items []endpoint.Item, records []manifest.Record) error {
	select {
	case w.calls <- struct{}{}:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	defer func() { <-w.calls }() // not before it is recorded: what isn't, is sent again when this process dies
	err := w.out.WriteAll(w.ctx, items, w.options.Keep.SyncEach)
	if errors.Is(err, errors.ErrUnsupported) { // nothing was done: some name, or what it has, is beyond the tools there
		err = w.byHand(items, records)
	}
	if err != nil {
		return w.explain(items, err)
	}
	var files, bytes int64
	for i := range records {
		if records[i].Type != endpoint.Folder {
			files++
			bytes += records[i].Size
		}
	}
	w.options.Count(files, bytes)
	return failure.AtDestination("record", w.data.Path(), w.options.Sink.Add(records...))
}

// explain tells which name a call failed at.
func (w *bulkWriting) explain(items []endpoint.Item, err error) error {
	var at *endpoint.BulkError
	if !errors.As(err, &at) || at.Index < 0 || at.Index >= len(items) {
		return failure.AtDestination("write", w.data.Path(), err)
	}
	path := tree.Join(w.data.Path(), items[at.Index].Path)
	switch at.Op {
	case "make link":
		return failure.AtNewLink(path, at.Err)
	case "create", "make folder":
		return failure.AtNew(at.Op, path, at.Err)
	default:
		return failure.AtDestination(at.Op, path, at.Err)
	}
}

// finish hands a folder over that is complete, some time later and with others; those above it come after it.
func (w *bulkWriting) finish(f *folder) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folders = append(w.folders, f.record)
	if len(w.folders) < w.limits.Items {
		return nil
	}
	return w.writeFolders()
}

func (w *bulkWriting) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeFolders()
}

func (w *bulkWriting) writeFolders() error {
	if len(w.folders) == 0 {
		return nil
	}
	items := make([]endpoint.Item, len(w.folders))
	for i, record := range w.folders {
		items[i] = w.options.Keep.Item(record, nil)
		if above, _ := tree.Split(record.Path); above == "" { // the top's are left to the publish
			items[i].SetMode, items[i].ModAt = false, time.Time{}
		}
	}
	records := w.folders
	w.folders = nil
	return w.write(items, records)
}
