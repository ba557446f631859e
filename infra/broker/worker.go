package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
)

const (
	workerPrefix = "ketter:worker:"
	scanCount    = 200
)

// WorkerTTL is how long a heartbeat stays: an older one, by its own time, is from a clock that is off.
const WorkerTTL = 15 * time.Second

// Worker is what a worker tells of itself: the value of the key ketter:worker:<name>.
type Worker struct {
	Name      string    `json:"name"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	Queues    []string  `json:"queues"`
	Running   int       `json:"running"` // jobs at this moment
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"` // by the worker's clock; set by Heartbeat
}

// Heartbeat says that the worker lives. Who says nothing for 15 s is no longer listed.
func (b *Broker) Heartbeat(ctx context.Context, worker Worker) error {
	worker.SeenAt = time.Now().UTC()
	value, err := json.Marshal(worker)
	if err != nil {
		return err
	}
	return b.call(ctx, "heartbeat", func(ctx context.Context) error {
		return b.client.Set(ctx, workerPrefix+worker.Name, value, WorkerTTL).Err()
	})
}

// RunHeartbeat sends what worker returns, at once and then at every interval, until ctx ends; then it takes the worker off
// the list. It blocks: its caller owns the goroutine. Failures are logged as any of Redis's are, and tried again at the next beat.
func (b *Broker) RunHeartbeat(ctx context.Context, every time.Duration, worker func() Worker) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		_ = b.Heartbeat(ctx, worker()) // noted by health
		select {
		case <-ctx.Done():
			b.signOff(context.WithoutCancel(ctx), worker().Name)
			return
		case <-ticker.C:
		}
	}
}

func (b *Broker) signOff(ctx context.Context, name string) {
	_ = b.call(ctx, "sign-off", func(ctx context.Context) error {
		return b.client.Del(ctx, workerPrefix+name).Err()
	})
}

// Workers lists the workers that live, by name.
func (b *Broker) Workers(ctx context.Context) ([]Worker, error) {
	var workers []Worker
	err := b.call(ctx, "workers", func(ctx context.Context) error {
		keys, err := b.workerKeys(ctx)
		if err != nil || len(keys) == 0 {
			return err
		}
		values, err := b.client.MGet(ctx, keys...).Result()
		workers = decodeWorkers(values)
		return err
	})
	return workers, err
}

// workerKeys scans: KEYS would hold up everybody else on a Redis that is shared.
func (b *Broker) workerKeys(ctx context.Context) ([]string, error) {
	var keys []string
	scan := b.client.Scan(ctx, 0, workerPrefix+"*", scanCount).Iterator()
	for scan.Next(ctx) {
		keys = append(keys, scan.Val())
	}
	slices.Sort(keys)
	return slices.Compact(keys), scan.Err() // SCAN may return a key twice
}

// decodeWorkers leaves out keys that expired since the scan, and what isn't ours.
func decodeWorkers(values []any) []Worker {
	workers := make([]Worker, 0, len(values))
	for _, value := range values {
		text, ok := value.(string)
		var worker Worker
		if ok && json.Unmarshal([]byte(text), &worker) == nil && worker.Name != "" {
			workers = append(workers, worker)
		}
	}
	slices.SortFunc(workers, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	return workers
}
