package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/engine/failure"
)

const (
	requestIDHeader = "X-Request-Id"
	riverUIPrefix   = "/riverui"
)

// identify gives each request an id, the caller's own if it is fit for a log, and echoes it. The answer's header is where
// handlers find it, and the request's context where there is only that.
func (a *api) identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !isRequestID(id) {
		id = rand.Text()
	}
	c.Header(requestIDHeader, id)
	c.Request = c.Request.WithContext(withRequestID(c.Request.Context(), id))
	c.Next()
}

func requestID(c *gin.Context) string { return c.Writer.Header().Get(requestIDHeader) }

func isRequestID(id string) bool {
	foreign := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	return len(id) > 0 && len(id) <= 64 && !strings.ContainsFunc(id, foreign)
}

// log writes a line per request. It leaves the query out: what is in it is the caller's affair.
func (a *api) log(c *gin.Context) {
	began := a.Now()
	defer func() {
		took := a.Now().Sub(began)
		a.measure(c, took)
		line := aboutJob(a.Logger.WithLevel(logLevel(c.Request.Method, c.Writer.Status())), c)
		if name := askedBy(c.Request.Context()); name != "" {
			line = line.Str("token", name)
		}
		line.Str("request_id", requestID(c)).
			Str("remote", host(c.Request.RemoteAddr)).
			Str("method", c.Request.Method).
			Str("path", c.Request.URL.Path).
			Int("status", c.Writer.Status()).
			Float64("seconds", seconds(took)).
			Msg("request")
	}()
	c.Next()
}

// logLevel keeps an info log to what changed something or went wrong: pages and probes poll, and a wrong token that is sent
// without end was told of.
func logLevel(method string, status int) zerolog.Level {
	if status == http.StatusTooManyRequests || status < http.StatusBadRequest && (method == http.MethodGet || method == http.MethodHead) {
		return zerolog.DebugLevel
	}
	return zerolog.InfoLevel
}

// protect tells browsers to take answers for what they are. River UI is a page that loads its own scripts, so all that is
// asked for it is that no other page frames it.
func protect(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Frame-Options", "DENY")
	c.Header("Referrer-Policy", "same-origin") // no-referrer would hide the origin of our own pages from us
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
	if path := c.Request.URL.Path; path == riverUIPrefix || strings.HasPrefix(path, riverUIPrefix+"/") {
		c.Header("Content-Security-Policy", "frame-ancestors 'none'")
	} else {
		c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		c.Header("Cache-Control", "no-store")
	}
	c.Next()
}

// catchPanic answers with internal where nothing was written yet. Otherwise it cuts the connection, so that half an
// answer is never taken for a whole one.
func (a *api) catchPanic(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler { // net/http knows what to do
			panic(cause)
		}
		a.Logger.Error().Str("request_id", requestID(c)).Any("panic", cause).Bytes("stack", debug.Stack()).Msg("a handler panicked")
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		a.fail(c, &failure.Error{Code: failure.Internal})
	}()
	c.Next()
}

// withDeadline bounds what a request waits for the database. Operations that also wait for something else, compute for long (a
// key with a passphrase), or make their answer only once they have returned (figures), bound themselves.
func withDeadline(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	switch operation {
	case "StreamJobEvents", "GetMetrics", "TestPortal", "CreateJob", "CreatePortal", "ReplacePortal":
		return next
	}
	return func(c *gin.Context, request any) (any, error) {
		defer within(c, workDeadline)()
		return next(c, request)
	}
}

// within gives a request so much time from now on, until done is called.
func within(c *gin.Context, limit time.Duration) (done func()) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
	c.Request = c.Request.WithContext(ctx)
	return cancel
}

// request is gin's own context of a request, which is what the generated code passes as one.
func request(ctx context.Context) *gin.Context { return ctx.(*gin.Context) }

// seconds rounds to microseconds, and never goes below zero where two clocks disagree.
func seconds(d time.Duration) float64 { return max(d, 0).Round(time.Microsecond).Seconds() }
