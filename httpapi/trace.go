package httpapi

import (
	"context"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"
)

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestIDOf is the id of the request that a context is of; empty: of none.
func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// aboutJob adds the job that a request was about, be it named by the path or made by the request.
func aboutJob(line *zerolog.Event, c *gin.Context) *zerolog.Event {
	name := c.Param("id")
	if !strings.HasPrefix(c.FullPath(), "/jobs/:id") {
		name = strings.TrimPrefix(c.Writer.Header().Get("Location"), "/jobs/")
	}
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		return line.Int64("job_id", id)
	}
	return line
}
