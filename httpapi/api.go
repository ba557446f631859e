package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// Submitter records a job and wakes a worker for it: both, or neither.
type Submitter interface {
	Submit(ctx context.Context, submission transfer.Submission) (job db.Job, created bool, err error)
}

// Jobs reads jobs. A job that doesn't exist is db.ErrNotFound.
type Jobs interface {
	Job(ctx context.Context, id int64) (db.Job, error)
	JobWithEvents(ctx context.Context, id int64) (db.Job, []db.JobEvent, error)
	Jobs(ctx context.Context, filter db.ListJobsParams) ([]db.Job, error)
}

// Options is what the API works with.
type Options struct {
	Submitter    Submitter
	Jobs         Jobs
	AllowedRoots []string // absolute and clean; with none, every path is refused
	Ready        []Check
	RiverUI      http.Handler // expects to be served below /riverui; nil leaves it out
	Version      string
	Logger       zerolog.Logger
	Now          func() time.Time // time.Now when nil
}

// workDeadline bounds what a request waits for the database. Routes that live longer stay out of its group.
const workDeadline = 10 * time.Second

type api struct{ Options }

// New makes the handler of everything Ketter serves.
func New(options Options) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	a := &api{Options: options}
	gin.SetMode(gin.ReleaseMode) // the process's, and set atomically: gin itself prints nothing
	engine := gin.New()
	engine.ContextWithFallback = true // a gin.Context that is passed as a context ends with its request
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // curl doesn't follow a redirect, and so would show nothing
	engine.Use(a.identify, a.log, protect, a.catchPanic)
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
	read(work, "/jobs", a.handle(a.listJobs))
	read(work, "/jobs/:id", a.handle(a.showJob))
	read(work, "/jobs/:id/detail", a.handle(a.showDetail))
	read(work, "/stats/jobs-history", a.handle(a.jobsHistory))

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
		"the latest jobs":    "GET /stats/jobs-history?status&mode&strategy&limit",
		"is it alive":        "GET /healthz",
		"can it take a job":  "GET /readyz",
		"the queue (a page)": "GET " + riverUIPrefix + "/",
	}
	if a.RiverUI == nil {
		delete(routes, "the queue (a page)")
	}
	writeJSON(c, http.StatusOK, gin.H{"name": "ketter", "version": a.Version, "routes": routes})
}
