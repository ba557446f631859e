package httpapi

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Submitter records a job and wakes a worker for it: both, or neither. When the submission's key was used before, for the
// same, it makes nothing and returns the job there is.
type Submitter interface {
	Submit(ctx context.Context, submission transfer.Submission) (job db.Job, created bool, err error)
}

// Operator changes what becomes of a job. What the job's state doesn't allow is failure.JobState; a job that doesn't exist
// is db.ErrNotFound.
type Operator interface {
	Cancel(ctx context.Context, id int64) (db.Job, error)
	Retry(ctx context.Context, id int64) (db.Job, error)
}

// Jobs reads jobs. A job that doesn't exist is db.ErrNotFound.
type Jobs interface {
	Jobs(ctx context.Context, filter db.JobFilter) ([]db.Job, error)
	JobWithProgress(ctx context.Context, id int64) (db.Followed, error)
	// Follow returns the job with at most so many of its events, those after a seq.
	Follow(ctx context.Context, id, after int64, most int32) (db.Followed, error)
	Summary(ctx context.Context, filter db.SummaryFilter) ([]db.SummaryGroup, error)
}

// Options is what the API works with.
type Options struct {
	Submitter    Submitter
	Operator     Operator
	Jobs         Jobs
	Portals      Portals
	Credentials  Credentials
	PortalTester PortalTester // nil: none
	Streams      Streams
	AllowedRoots []string // absolute and clean; with none, every path is refused
	Ready        []Check
	Metrics      http.Handler // nil: none
	RiverUI      http.Handler // expects to be served below /riverui; nil leaves it out
	Version      string
	Logger       zerolog.Logger
	Now          func() time.Time // time.Now when nil
}

// workDeadline bounds what a request waits for the database. Routes that live longer stay out of its group.
const workDeadline = 10 * time.Second

type api struct {
	Options
	open    chan struct{} // holds one for each live stream
	looking chan struct{} // and for each that is looking
	blind   atomic.Bool   // the last look failed
}

// New makes the handler of everything Ketter serves.
func New(options Options) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	options.Streams = options.Streams.withStandards()
	a := &api{
		Options: options,
		open:    make(chan struct{}, options.Streams.Most), looking: make(chan struct{}, atOnce),
	}
	gin.SetMode(gin.ReleaseMode) // the process's, and set atomically: gin itself prints nothing
	engine := gin.New()
	engine.ContextWithFallback = true // a gin.Context that is passed as a context ends with its request
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // curl doesn't follow a redirect, and so would show nothing
	engine.Use(a.identify, a.log, protect, a.catchPanic, a.checkContract)
	engine.NoRoute(a.handle(noRoute))
	engine.NoMethod(a.handle(noMethod))
	a.routes(engine)
	return engine
}

// routes registers those of the contract, and River UI's, which is a program of its own.
func (a *api) routes(engine *gin.Engine) {
	RegisterHandlersWithOptions(engine, NewStrictHandlerWithOptions(a, []StrictMiddlewareFunc{withDeadline, plainly}, StrictGinServerOptions{
		RequestErrorHandlerFunc:  func(c *gin.Context, err error) { a.fail(c, invalid("The request can't be read: %v.", err)) },
		HandlerErrorFunc:         a.fail,
		ResponseErrorHandlerFunc: a.cutOff,
	}), GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { a.fail(c, invalid("The request can't be read: %v.", err)) },
	})
	for _, route := range engine.Routes() { // a route that changes nothing answers HEAD too
		if route.Method == http.MethodGet {
			engine.HEAD(route.Path, route.HandlerFunc)
		}
	}
	if a.RiverUI != nil {
		// River UI's own writes would change River's rows and not ours, so it is only ever read.
		read(engine, riverUIPrefix, func(c *gin.Context) { c.Redirect(http.StatusMovedPermanently, riverUIPrefix+"/") })
		read(engine, riverUIPrefix+"/*any", gin.WrapH(a.RiverUI))
	}
}

// read registers a route that changes nothing: GET, and HEAD with it.
func read(routes gin.IRoutes, path string, handler gin.HandlerFunc) {
	routes.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
}

// handle makes a gin handler of one that returns its error.
func (a *api) handle(handler func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := handler(c); err != nil {
			a.fail(c, err)
		}
	}
}

// cutOff ends an answer that could not be written: nothing of it has left when it could not be encoded.
func (a *api) cutOff(c *gin.Context, err error) {
	if !c.Writer.Written() {
		a.fail(c, &failure.Error{Code: failure.Internal, Op: "encode an answer", Err: err})
		return
	}
	a.Logger.Debug().Err(err).Str("request_id", requestID(c)).Msg("an answer was broken off")
}

// GetIndex lists the contract's routes by what they are for.
func (a *api) GetIndex(context.Context, GetIndexRequestObject) (GetIndexResponseObject, error) {
	routes := map[string]string{}
	for _, o := range parsed().operations {
		described, _ := o.contract.follow(o.pointer)
		routes[textOf(described["summary"])] = o.method + " " + o.template
	}
	if a.RiverUI != nil {
		routes["The queue, as a page"] = "GET " + riverUIPrefix + "/"
	}
	return GetIndex200JSONResponse{Name: "ketter", Version: a.Version, Routes: routes}, nil
}
