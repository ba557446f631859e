package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

const (
	streamSilence  = 45 * time.Second // without a word, not even a comment: those come every 15 s at least
	streamPatience = 5 * time.Minute  // with an API that doesn't answer
	streamRetry    = 2 * time.Second  // before the stream has named a time
	streamRetryMin = 100 * time.Millisecond
	streamRetryMax = 30 * time.Second
)

// Update is one thing that is told of a job; the others are nil or empty.
type Update struct {
	Event    *Event
	Progress *Progress
	End      transfer.Status // the job has ended so, and this is the last update
	Lost     error           // the stream broke and is asked for again; told once, until something is heard again
}

// Follow tells of a job's events whose seq is greater than after, then of each as it happens, in order and each once, until the job
// has ended. A stream that breaks is asked for again; Follow fails when the API was away for minutes, doesn't know the job, or
// tell fails. An end needn't be told: where there was nothing after the given seq, it just returns.
func (c *Client) Follow(ctx context.Context, id, after int64, tell func(Update) error) error {
	f := follower{client: c, id: id, after: after, tell: tell, silence: streamSilence, patience: streamPatience}
	return f.follow(ctx)
}

type follower struct {
	client            *Client
	id, after         int64
	tell              func(Update) error
	silence, patience time.Duration

	retry   time.Duration
	heard   time.Time
	lost    bool
	refused error // what tell has said
}

func (f *follower) follow(ctx context.Context) error {
	f.retry, f.heard = streamRetry, time.Now()
	for {
		over, err := f.listen(ctx)
		switch {
		case f.refused != nil:
			return f.refused
		case over:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("following job %d: %w", f.id, ctx.Err())
		case !Passes(err), time.Since(f.heard) >= f.patience:
			return err
		}
		if err := f.pause(ctx, err); err != nil {
			return err
		}
	}
}

// Passes reports whether the same request may be answered another time.
func Passes(err error) bool {
	switch failure.CodeOf(err) {
	case Unreachable, "database_unavailable", "no_more_streams":
		return true
	}
	return false
}

// pause waits as long as the stream has asked for.
func (f *follower) pause(ctx context.Context, why error) error {
	if !f.lost {
		f.lost = true
		if err := f.tell(Update{Lost: why}); err != nil {
			return err
		}
	}
	timer := time.NewTimer(min(max(f.retry, streamRetryMin), streamRetryMax))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("following job %d: %w", f.id, ctx.Err())
	case <-timer.C:
		return nil
	}
}

// listen reads one stream to its end.
func (f *follower) listen(outer context.Context) (over bool, err error) {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	alarm := time.AfterFunc(f.silence, cancel)
	defer alarm.Stop()
	request, err := NewStreamJobEventsRequest(f.client.base, f.id, &StreamJobEventsParams{LastEventID: given(f.after)})
	if err != nil {
		return false, err
	}
	response, err := f.client.open(ctx, request, "text/event-stream")
	if err != nil {
		return false, f.broken(outer, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return true, nil
	}
	over, err = f.read(newSSEReader(heard{response.Body, func() {
		alarm.Reset(f.silence)
		f.heard, f.lost = time.Now(), false
	}}))
	return over, f.broken(outer, err)
}

func (f *follower) read(stream *sseReader) (over bool, err error) {
	for {
		m, err := stream.next()
		if stream.retry > 0 {
			f.retry = stream.retry
		}
		if err != nil {
			return false, err
		}
		if over, err := f.take(m); over || err != nil {
			return over, err
		}
	}
}

// broken makes of whatever ended a stream a failure with a code. What the caller has ended is the caller's affair.
func (f *follower) broken(outer context.Context, err error) error {
	var known *failure.Error
	switch {
	case err == nil, outer.Err() != nil, errors.As(err, &known):
		return err
	case errors.Is(err, errMessageTooLong), errors.Is(err, errNotAStream):
		return f.client.failed(fmt.Sprintf("%s does not stream as Ketter does: %v", f.client.shown, err), err)
	case errors.Is(err, io.EOF):
		return f.client.failed(f.client.shown+" ended the stream before the job did", err)
	case errors.Is(err, context.Canceled):
		return f.client.failed(fmt.Sprintf("%s has said nothing for %v", f.client.shown, f.silence), err)
	}
	return f.client.failed(fmt.Sprintf("%s broke off its stream: %v", f.client.shown, err), err)
}

var errNotAStream = errors.New("a message can't be read")

// take tells of a message. Kinds without an id that are not known are those of a later version.
func (f *follower) take(m message) (over bool, err error) {
	var u Update
	switch {
	case m.name == "progress":
		u.Progress = new(Progress)
		err = json.Unmarshal(m.data, u.Progress)
	case m.name == "end":
		var end struct{ Status transfer.Status }
		err = json.Unmarshal(m.data, &end)
		u.End, over = end.Status, true
		if !end.Status.Final() {
			err = errNotAStream
		}
	case m.id == "":
		return false, nil
	default:
		u.Event = new(Event)
		err = json.Unmarshal(m.data, u.Event)
	}
	if err != nil {
		return false, errNotAStream
	}
	if u.Event != nil {
		if u.Event.Seq <= f.after { // it was told already
			return false, nil
		}
		f.after = u.Event.Seq
	}
	f.refused = f.tell(u)
	return over, f.refused
}

// heard reports whenever something comes.
type heard struct {
	io.Reader
	note func()
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.note()
	}
	return n, err
}
