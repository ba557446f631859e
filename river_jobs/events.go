package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// jobTx is a transaction that holds a job's row lock, and the events it records.
type jobTx struct {
	tx  pgx.Tx
	q   *db.Queries
	job db.Job // as it was when it was locked
	by  string // who asked for it; empty: Ketter by itself, or somebody

	// Of an operator's transaction, the job's portals, or why they can't be had.
	sides sides
	lost  error

	recorded []recorded
}

type recorded struct {
	seq  int64
	kind transfer.EventKind
}

// event records an event, of which listeners are told once the transaction is committed.
func (t *jobTx) event(ctx context.Context, event transfer.Event) error {
	payload := []byte("{}")
	if len(event.Figures) > 0 {
		var err error
		if payload, err = json.Marshal(event.Figures); err != nil {
			return fmt.Errorf("event %s: %w", event.Kind, err)
		}
	}
	actor, err := t.actor(ctx, event.Kind)
	if err != nil {
		return fmt.Errorf("recording %s: %w", event.Kind, err)
	}
	seq, err := t.q.AddEvent(ctx, db.AddEventParams{
		JobID: t.job.ID, Kind: event.Kind, Message: printable(event.Message), Payload: payload, Actor: actor,
	})
	if err != nil {
		return fmt.Errorf("recording %s: %w", event.Kind, err)
	}
	t.recorded = append(t.recorded, recorded{seq, event.Kind})
	return nil
}

// actor is who asked for what is recorded. A cancel that a worker carries out is that of who had requested it; one that nobody
// had requested before is not that of who did so before the job was tried again.
func (t *jobTx) actor(ctx context.Context, kind transfer.EventKind) (*string, error) {
	if t.by != "" || kind != transfer.EventCancelled || t.job.CancelRequestedAt == nil {
		return orNull(t.by), nil
	}
	requester, err := t.q.CancelRequester(ctx, t.job.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return requester, err
}

func orNull(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

// tell tells listeners of what a transaction has recorded, after its commit.
func (c *Client) tell(committed *jobTx) {
	for _, event := range committed.recorded {
		c.events.Publish(committed.job.ID, event.seq, string(event.kind))
	}
}

// printable makes any file name fit for a text column: bytes that are not UTF-8 become \xNN.
func printable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
