package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
)

const (
	reconnectAfter = 2 * time.Second
	lookDeadline   = 5 * time.Second // for a look at the database; a beat must fit in after it
	atOnce         = 4               // looks at a time, however many streams: the others need connections too
	eventsPerLook  = 256
)

// Streams is how live events are served. What is zero has its standard.
type Streams struct {
	Hub       *Hub            // whose wakes make streams look at once; without one they look at every Poll
	Stopping  context.Context // streams end with it; nil: never
	Most      int             // streams at a time: 256
	Poll      time.Duration   // between looks without a wake: 2 s
	BeatAfter time.Duration   // without anything sent: 5 s
	SendIn    time.Duration   // what a listener may take to receive: 5 s
}

func (s Streams) withStandards() Streams {
	if s.Hub == nil {
		s.Hub = NewHub()
	}
	if s.Stopping == nil {
		s.Stopping = context.Background()
	}
	if s.Most == 0 {
		s.Most = 256
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&s.Poll, 2 * time.Second}, {&s.BeatAfter, 5 * time.Second}, {&s.SendIn, 5 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	return s
}

// stream sends a job's events to one listener: those that were, then those that come.
type stream struct {
	api  *api
	id   int64
	sent int64 // seq of the last event that the listener has
	more bool  // events are known to be there already
	told db.RunProgress
	news <-chan struct{}
	out  sse
}

// StreamJobEvents writes its answer by itself, for it has no end that could be waited for.
func (a *api) StreamJobEvents(ctx context.Context, r StreamJobEventsRequestObject) (StreamJobEventsResponseObject, error) {
	leave, err := a.admit()
	if err != nil {
		return nil, err
	}
	defer leave()
	c := request(ctx)
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	defer context.AfterFunc(a.Streams.Stopping, cancel)()
	news, deafen := a.Streams.Hub.listen(r.ID) // before the first look, so that nothing falls in between
	defer deafen()
	s := &stream{api: a, id: r.ID, sent: orZero(r.Params.LastEventID), news: news}
	s.out = sse{out: c.Writer, control: http.NewResponseController(c.Writer), within: a.Streams.SendIn}
	return s.answer(ctx, c)
}

// streamed is an answer that was written already.
type streamed struct{}

// VisitStreamJobEventsResponse implements StreamJobEventsResponseObject.
func (streamed) VisitStreamJobEventsResponse(http.ResponseWriter) error { return nil }

// admit counts a stream in, until leave is called.
func (a *api) admit() (leave func(), err error) {
	if a.Streams.Stopping.Err() != nil {
		return nil, failure.New(codeNoMoreStreams, "", "This service is stopping.")
	}
	select {
	case a.open <- struct{}{}:
		return func() { <-a.open }, nil
	default:
		return nil, failure.New(codeNoMoreStreams, "", "There are "+strconv.Itoa(cap(a.open))+" live streams already, as many as there may be.")
	}
}

// answer begins the answer, or says why there is none; whatever comes after the beginning can only end it.
func (s *stream) answer(ctx context.Context, c *gin.Context) (StreamJobEventsResponseObject, error) {
	seen, err := s.look(ctx)
	if err != nil {
		return nil, unknownJob(s.id, err)
	}
	if s.sent > seen.Job.EventSeq { // an id of another job, or of a database that was restored since: it begins again
		s.sent = 0
		if seen, err = s.look(ctx); err != nil {
			return nil, unknownJob(s.id, err)
		}
	}
	if s.sent > 0 && isOver(seen) && len(seen.Events) == 0 {
		return StreamJobEvents204Response{}, nil // an EventSource takes that for the end, and doesn't come again
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no") // nginx would hold events back until it has a page of them
	if c.Request.Method == http.MethodHead {
		return streamed{}, nil
	}
	if err := s.out.begin(); err != nil {
		return nil, &failure.Error{Code: failure.Internal, Op: "begin a stream", Err: err}
	}
	defer s.out.extend()
	s.out.retry(reconnectAfter)
	if err := s.run(ctx, seen); err != nil && ctx.Err() == nil {
		s.api.Logger.Debug().Err(err).Str("request_id", requestID(c)).Int64("job_id", s.id).Msg("a live stream was broken off")
	}
	return streamed{}, nil
}

// run sends until the job has ended, or the listener or the service is gone.
func (s *stream) run(ctx context.Context, seen db.Followed) error {
	for {
		over, err := s.tell(seen)
		if err == nil {
			err = s.out.flush()
		}
		if err != nil || over {
			return err
		}
		if seen, err = s.next(ctx); err != nil {
			return err
		}
	}
}

// tell writes what is new, and says whether that was the last of it.
func (s *stream) tell(seen db.Followed) (over bool, err error) {
	for _, event := range seen.Events {
		if err := s.out.event(event.Seq, string(event.Kind), viewEvent(event)); err != nil {
			return false, err
		}
		s.sent = event.Seq
	}
	s.more = seen.More
	switch p := seen.Progress; {
	case isOver(seen):
		return true, s.out.event(0, "end", gin.H{"status": seen.Job.Status})
	case p != nil && *p != s.told && !seen.More:
		s.told = *p
		return false, s.out.event(0, "progress", viewProgress(p))
	}
	s.out.beat(s.api.Streams.BeatAfter)
	return false, nil
}

func isOver(seen db.Followed) bool { return seen.Job.Status.Final() && !seen.More }

// next waits for news, or for as long as there may be some that nobody tells of, and looks. While the database does not
// answer it keeps the listener: an EventSource that is refused once doesn't come again.
func (s *stream) next(ctx context.Context) (db.Followed, error) {
	for {
		if err := s.wait(ctx); err != nil {
			return db.Followed{}, err
		}
		seen, err := s.look(ctx)
		if ctx.Err() != nil || errors.Is(err, db.ErrNotFound) {
			return seen, err
		}
		s.api.noteLook(err)
		if err == nil {
			return seen, nil
		}
		s.more = false // what is there can wait a Poll
		s.out.beat(s.api.Streams.BeatAfter)
		if err := s.out.flush(); err != nil {
			return db.Followed{}, err
		}
	}
}

func (s *stream) wait(ctx context.Context) error {
	if s.more {
		return ctx.Err()
	}
	timer := time.NewTimer(s.api.Streams.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.news:
	case <-timer.C:
	}
	return nil
}

// look reads what the listener doesn't have yet. It waits for its turn.
func (s *stream) look(ctx context.Context) (db.Followed, error) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	select {
	case <-ctx.Done():
		return db.Followed{}, ctx.Err()
	case s.api.looking <- struct{}{}:
		defer func() { <-s.api.looking }()
	}
	return s.api.Jobs.Follow(ctx, s.id, s.sent, eventsPerLook)
}

// noteLook logs when streams can no longer read their jobs and when they can again, and nothing in between: there may be
// hundreds of them.
func (a *api) noteLook(err error) {
	switch failing := err != nil; {
	case a.blind.Swap(failing) == failing:
	case failing:
		a.Logger.Warn().Err(err).Msg("live streams can't read their jobs; they go on once the database answers")
	default:
		a.Logger.Info().Msg("live streams can read their jobs again")
	}
}
