package survival

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// silent tells nobody.
type silent struct{}

func (silent) Publish(int64, int64, string) {}

func (b *bench) operator() *riverjobs.Client {
	b.Helper()
	client, err := riverjobs.NewClient(b.store, silent{}, zerolog.Nop())
	must(b.T, err)
	return client
}

// cancel and retry are what an operator asks for, in this process. Nobody waits for ever for an answer.
func (b *bench) cancel(id int64) (db.Job, error) {
	ctx, stop := context.WithTimeout(b.Context(), operatorsPatience)
	defer stop()
	return b.operator().Cancel(ctx, id)
}

func (b *bench) retry(id int64) (db.Job, error) {
	ctx, stop := context.WithTimeout(b.Context(), operatorsPatience)
	defer stop()
	return b.operator().Retry(ctx, id)
}

const operatorsPatience = 30 * time.Second
