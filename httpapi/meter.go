package httpapi

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Meter counts what the API is asked. A route is the one that is registered, as /jobs/:id, and empty where there is none. Its methods
// return at once, and may be called from several goroutines.
type Meter interface {
	Answered(method, route string, status int)
	Took(method, route string, took time.Duration) // of answers that end by themselves
	StreamOpened()
	StreamClosed()
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) Answered(string, string, int)       {}
func (unmetered) Took(string, string, time.Duration) {}
func (unmetered) StreamOpened()                      {}
func (unmetered) StreamClosed()                      {}

// measure counts an answer. How long a live stream takes says nothing.
func (a *api) measure(c *gin.Context, took time.Duration) {
	a.Meter.Answered(c.Request.Method, c.FullPath(), c.Writer.Status())
	if !strings.HasPrefix(c.Writer.Header().Get("Content-Type"), "text/event-stream") {
		a.Meter.Took(c.Request.Method, c.FullPath(), took)
	}
}
