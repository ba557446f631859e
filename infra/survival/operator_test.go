package survival

import (
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

// cancel and retry are what an operator asks for, in this process.
func (b *bench) cancel(id int64) (db.Job, error) { return b.operator().Cancel(b.Context(), id) }

func (b *bench) retry(id int64) (db.Job, error) { return b.operator().Retry(b.Context(), id) }
