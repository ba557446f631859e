package httpapi

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// ServeWithin is Serve with limits of the test's own for a header, a request, an answer, and what lies between two requests.
func ServeWithin(ctx context.Context, listener net.Listener, handler http.Handler, header, request, answer, idle time.Duration) error {
	return serve(ctx, listener, handler, zerolog.Nop(), limits{header, request, answer, idle})
}
