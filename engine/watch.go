package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// progressEvery is how often progress is told.
const progressEvery = 250 * time.Millisecond

// watch stands between a run, which counts from many goroutines, and its observer, who is told of it now and then and
// never twice at once.
type watch struct {
	obs  transfer.Observer
	now  func() time.Time
	busy sync.Mutex // held while the observer is called

	files, bytes atomic.Int64

	mu         sync.Mutex // guards what is below
	phase      transfer.Progress
	phaseBegan time.Time
	forecast   forecast

	done    chan struct{}
	stopped sync.WaitGroup
}

func startWatch(obs transfer.Observer, now func() time.Time) *watch {
	w := &watch{obs: obs, now: now, done: make(chan struct{})}
	w.stopped.Go(w.tell)
	return w
}

// expect makes a forecast of what lies ahead.
func (w *watch) expect(plan planner.Plan, method transfer.Method) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forecast = newForecast(plan, method, w.now())
}

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
	p := w.snapshot()
	if p.Phase == "" {
		return
	}
	w.busy.Lock()
	defer w.busy.Unlock()
	w.obs.Progress(p)
}

func (w *watch) snapshot() transfer.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, now := w.phase, w.now()
	p.FilesDone, p.BytesDone = w.files.Load(), w.bytes.Load()
	if seconds := now.Sub(w.phaseBegan).Seconds(); seconds > 1 {
		p.BytesPerSecond = float64(p.BytesDone) / seconds
	}
	p.Left = w.forecast.left(p, now)
	return p
}

// begin starts counting afresh for a phase.
func (w *watch) begin(phase transfer.Phase, files, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.phase
	last.FilesDone, last.BytesDone = w.files.Swap(0), w.bytes.Swap(0)
	w.forecast.ended(last)
	w.phase = transfer.Progress{Phase: phase, FilesTotal: files, BytesTotal: bytes}
	w.phaseBegan = w.now()
}

func (w *watch) count(files, bytes int64) {
	w.files.Add(files)
	w.bytes.Add(bytes)
}

// skip counts what needs no work in this phase.
func (w *watch) skip(files, bytes int64) {
	w.count(files, bytes)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forecast.skip(files, bytes)
}

func (w *watch) event(ctx context.Context, kind transfer.EventKind, message string, figures transfer.Figures) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.Event(ctx, transfer.Event{Kind: kind, Message: message, Figures: figures})
}

func (w *watch) notPublished(ctx context.Context) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.NotPublished(context.WithoutCancel(ctx))
}

func (w *watch) beforeInherit(ctx context.Context) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.BeforeInherit(ctx)
}

func (w *watch) beforePublish(ctx context.Context, intent transfer.Intent) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.obs.BeforePublish(ctx, intent)
}
