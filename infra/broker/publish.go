package broker

import (
	"context"
	"encoding/json"
	"time"
)

// Channel carries a Wake, as JSON, for each committed event.
const Channel = "ketter:events"

const (
	queueSize  = 1024        // wakes that wait while Redis is slow
	retryAfter = time.Second // between attempts while Redis is down
)

// Wake tells that a job has a new event. It is a hint: wakes may be lost, repeated or out of order, and what happened is
// read from the database, by seq. The zero Wake tells that any job may have news: it comes first and after every gap.
type Wake struct {
	JobID int64  `json:"job_id"`
	Seq   int64  `json:"seq"`
	Kind  string `json:"kind"`
}

// Publish wakes the listeners of a job, after the commit. It returns at once and can't fail: wakes wait in a bounded queue,
// from which the oldest are dropped while Redis is slower than events come, or down.
func (b *Broker) Publish(jobID, seq int64, kind string) {
	b.fanout.add(Wake{JobID: jobID, Seq: seq, Kind: kind})
}

func (b *Broker) publishNow(ctx context.Context, wake Wake) error {
	message, err := json.Marshal(wake)
	if err != nil {
		return err
	}
	return b.call(ctx, "publish", func(ctx context.Context) error {
		return b.client.Publish(ctx, Channel, message).Err()
	})
}

// fanout is a bounded queue with one sender.
type fanout struct{ queue chan Wake }

func newFanout() *fanout { return &fanout{queue: make(chan Wake, queueSize)} }

func (f *fanout) add(wake Wake) {
	for {
		select {
		case f.queue <- wake:
			return
		default:
		}
		select {
		case <-f.queue: // the newest matter most: they may be a job's last
		default:
		}
	}
}

// run sends until stopping ends, then what is left. After a failure it pauses, and tries the same wake again.
func (f *fanout) run(stopping context.Context, send func(context.Context, Wake) error) {
	for {
		select {
		case <-stopping.Done():
			f.drain(stopping, send)
			return
		case wake := <-f.queue:
			for send(context.WithoutCancel(stopping), wake) != nil {
				if !pause(stopping, retryAfter) {
					return // it was down when we left
				}
			}
		}
	}
}

func (f *fanout) drain(stopping context.Context, send func(context.Context, Wake) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(stopping), callTimeout)
	defer cancel()
	for {
		select {
		case wake := <-f.queue:
			if send(ctx, wake) != nil {
				return
			}
		default:
			return
		}
	}
}

// pause says whether it lasted.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
