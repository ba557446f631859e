package survival

import "github.com/ketter/ketter/httpapi/client"

// cancel and retry are what an operator asks the API for, which answers in time or not at all.
func (b *bench) cancel(id int64) (client.Job, error) {
	b.Helper()
	return b.operator().Cancel(b.Context(), id)
}

func (b *bench) retry(id int64) (client.Job, error) {
	b.Helper()
	return b.operator().Retry(b.Context(), id)
}

func (b *bench) operator() *client.Client {
	b.Helper()
	c, err := client.New(b.api)
	must(b.T, err)
	return c
}
