package httpapi

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// Submitter records a job and wakes a worker for it: both, or neither. When the submission's key was used before, for the
// same, it makes nothing and returns the job there is.
type Submitter interface {
	Submit(ctx context.Context, submission transfer.Submission) (job db.Job, created bool, err error)
}

// Operator changes what becomes of a job. What the job's state doesn't allow is failure.JobState; a job that doesn't exist
// is db.ErrNotFound. by is the name of who asks for it; empty: somebody.
type Operator interface {
	Cancel(ctx context.Context, id int64, by string) (db.Job, error)
	Retry(ctx context.Context, id int64, by string) (db.Job, error)
}

// Jobs reads jobs. A job that doesn't exist is db.ErrNotFound.
type Jobs interface {
	Jobs(ctx context.Context, filter db.JobFilter) ([]db.Job, error)
	JobWithProgress(ctx context.Context, id int64) (db.Followed, error)
	// Follow returns the job with at most so many of its events, those after a seq.
	Follow(ctx context.Context, id, after int64, most int32) (db.Followed, error)
}

// Options is what the API works with.
type Options struct {
	Access       Access
	Submitter    Submitter
	Operator     Operator
	Jobs         Jobs
	Portals      Portals
	Credentials  Credentials
	PortalTester PortalTester // nil: none
	Streams      Streams
	AllowedRoots []string // absolute and clean; with none, every path is refused
	Ready        []Check
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
	wrong   attempts
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
	engine.Use(a.identify, a.log, protect, a.catchPanic, a.guard)
	engine.NoRoute(a.handle(noRoute))
	engine.NoMethod(a.handle(noMethod))
	a.routes(engine)
	return engine
}

func (a *api) routes(engine *gin.Engine) {
	read(engine, "/", a.index)
	read(engine, "/healthz", a.healthz)
	read(engine, "/readyz", a.readyz)

	work := engine.Group("", withDeadline)
	work.POST("/jobs", a.handle(a.createJob))
	work.POST("/jobs/:id/cancel", a.handle(a.cancelJob))
	work.POST("/jobs/:id/retry", a.handle(a.retryJob))
	read(work, "/jobs", a.handle(a.listJobs))
	read(work, "/jobs/:id", a.handle(a.showJob))
	read(work, "/jobs/:id/detail", a.handle(a.showDetail))
	read(work, "/stats/jobs-history", a.handle(a.jobsHistory))

	work.POST("/portals", a.handle(a.createPortal))
	work.PUT("/portals/:id", a.handle(a.changePortal))
	work.DELETE("/portals/:id", a.handle(a.deletePortal))
	read(work, "/portals", a.handle(a.listPortals))
	read(work, "/portals/:id", a.handle(a.showPortal))
	engine.POST("/portals/:id/test", a.handle(a.testPortal))

	read(engine, "/jobs/:id/events", a.handle(a.streamEvents))

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

func (a *api) index(c *gin.Context) {
	routes := gin.H{
		"submit a job":       "POST /jobs",
		"list jobs":          "GET /jobs?status&mode&strategy&limit&before",
		"one job":            "GET /jobs/{id}",
		"one job's events":   "GET /jobs/{id}/detail",
		"the same, live":     "GET /jobs/{id}/events",
		"cancel a job":       "POST /jobs/{id}/cancel",
		"retry a job":        "POST /jobs/{id}/retry",
		"the latest jobs":    "GET /stats/jobs-history?status&mode&strategy&limit",
		"add a portal":       "POST /portals",
		"list portals":       "GET /portals",
		"one portal":         "GET /portals/{id or name}",
		"change a portal":    "PUT /portals/{id or name}",
		"delete a portal":    "DELETE /portals/{id or name}",
		"test a portal":      "POST /portals/{id or name}/test",
		"is it alive":        "GET /healthz",
		"can it take a job":  "GET /readyz",
		"the queue (a page)": "GET " + riverUIPrefix + "/",
	}
	if a.RiverUI == nil {
		delete(routes, "the queue (a page)")
	}
	writeJSON(c, http.StatusOK, gin.H{"name": "ketter", "version": a.Version, "routes": routes})
}
