package httpapi

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// ServeWithin is Serve with one limit for all that a client may take.
func ServeWithin(ctx context.Context, listener net.Listener, handler http.Handler, within time.Duration) error {
	return serve(ctx, listener, handler, zerolog.Nop(), limits{within, within, within, within})
}
