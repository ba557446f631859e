package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ketter/ketter/engine/transfer"
)

// progressEvery is how often progress is told.
const progressEvery = 250 * time.Millisecond

// watch stands between a run, which counts from many goroutines, and its observer, who is told of it now and then and
// never twice at once.
type watch struct {
	obs  transfer.Observer
	busy sync.Mutex // held while the observer is called

	phase        sync.Mutex // guards begun
	begun        transfer.Progress
	files, bytes atomic.Int64

	done    chan struct{}
	stopped sync.WaitGroup
	muted   bool
	outer   *watch
}

func startWatch(obs transfer.Observer) *watch {
	w := &watch{obs: obs, done: make(chan struct{})}
	w.stopped.Go(w.tell)
	return w
}

// mute returns a watch for a part of the run that the observer isn't to know of: what it counts counts, the rest is lost.
func (w *watch) mute() *watch { return &watch{muted: true, outer: w} }

func (w *watch) tell() {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.progress()
		case <-w.done:
			w.progress()
			return
		}
	}
}

// stop tells the last progress and waits until nobody calls the observer any more.
func (w *watch) stop() {
	close(w.done)
	w.stopped.Wait()
}

func (w *watch) progress() {
	w.phase.Lock()
	p := w.begun
	w.phase.Unlock()
	if p.Phase == "" {
		return
	}
	p.FilesDone, p.BytesDone = w.files.Load(), w.bytes.Load()
	w.busy.Lock()
	defer w.busy.Unlock()
	w.obs.Progress(p)
}

// begin starts counting afresh for a phase.
func (w *watch) begin(phase transfer.Phase, files, bytes int64) {
	if w.muted {
		return
	}
	w.phase.Lock()
	defer w.phase.Unlock()
	w.begun = transfer.Progress{Phase: phase, FilesTotal: files, BytesTotal: bytes}
	w.files.Store(0)
	w.bytes.Store(0)
}

func (w *watch) count(files, bytes int64) {
	if w.muted {
		w = w.outer
	}
	w.files.Add(files)
	w.bytes.Add(bytes)
}

func (w *watch) event(ctx context.Context, kind transfer.EventKind, message string, figures transfer.Figures) error {
	if w.muted {
		return nil
	}
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.Event(ctx, transfer.Event{Kind: kind, Message: message, Figures: figures})
}

func (w *watch) beforePublish(ctx context.Context, intent transfer.Intent) error {
	if w.muted {
		return nil
	}
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.BeforePublish(ctx, intent)
}
