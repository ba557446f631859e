package dku

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// notTold is the finding of a question that was not answered.
func notTold(err error) Finding {
	return fail("The question was not answered: "+sentence(err), "Run the DKU again; if it stays, see the service's log.")
}

// sentence is what an operator reads of an error.
func sentence(err error) string {
	f := failure.From(err)
	if f.Code == failure.Internal || f.Code == failure.Cancelled {
		return err.Error()
	}
	return f.Sentence()
}

// advice is what a failure says to do, else what else says.
func advice(err error, otherwise string) string {
	f := failure.From(err)
	if f.Code == failure.Internal || f.Code == failure.Cancelled || f.Advice() == "" {
		return otherwise
	}
	return f.Advice()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// times are what some rounds take, the shortest first.
func times(rounds int, ask func() error) ([]time.Duration, error) {
	took := make([]time.Duration, rounds)
	for i := range took {
		began := time.Now()
		if err := ask(); err != nil {
			return nil, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took, nil
}

// within waits for work until ctx ends. Work that hangs, on a storage that is gone, is left behind with its goroutine.
func within[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// interrupted tells somebody's wish to end from a deadline.
func interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

func notDone() Finding { return warn("NOT DONE: the DKU was interrupted.", "Run it again.") }

// size writes bytes as people do.
func size(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for ; bytes >= 1024 && i < len(units)-1; i++ {
		bytes /= 1024
	}
	return fmt.Sprintf("%.4g %s", bytes, units[i])
}

func list(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	return strings.Join(items, ", ")
}
