package engine

import (
	"time"

	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// forecast tells how long a run still takes, from how long it took for what it has done. Every phase counts, so that a
// copy which is to be read again isn't nearly done when all is written.
type forecast struct {
	began       time.Time
	total, done float64 // work, in bytes or what takes as long
}

// perFile is how many bytes take about as long as a file of none.
const perFile = 32 << 10

func work(files, bytes int64) float64 { return float64(bytes) + perFile*float64(files) }

func newForecast(plan planner.Plan, method transfer.Method, began time.Time) forecast {
	f := forecast{began: began, total: work(plan.Files, plan.Bytes)}
	if method == transfer.Archive { // packed and unpacked
		f.total *= 2
	}
	switch plan.Spec.Verify {
	case transfer.Checksum:
		f.total += work(plan.Files, plan.Bytes)
	case transfer.Size:
		f.total += work(plan.Files, 0)
	}
	if plan.Spec.Mode == transfer.Move {
		f.total += work(plan.Files, 0)
	}
	return f
}

// counted is the work that p tells of.
func counted(p transfer.Progress) float64 {
	switch p.Phase {
	case transfer.Packing, transfer.Unpacking, transfer.Copying, transfer.Verifying:
		return work(p.FilesDone, p.BytesDone)
	case transfer.Removing:
		return work(p.FilesDone, 0)
	default:
		return 0
	}
}

func (f *forecast) ended(p transfer.Progress) { f.done += counted(p) }

// skip takes out of the reckoning what will be counted without having been work.
func (f *forecast) skip(files, bytes int64) {
	f.total -= work(files, bytes)
	f.done -= work(files, bytes)
}

func (f *forecast) left(p transfer.Progress, now time.Time) time.Duration {
	done, elapsed := f.done+counted(p), now.Sub(f.began)
	if done <= 0 || f.total <= done || elapsed < time.Second {
		return 0
	}
	return time.Duration(float64(elapsed) * (f.total - done) / done)
}
