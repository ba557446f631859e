package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// shutdownDeadline is what requests in flight are granted once the service is to end; a little more than workDeadline.
const shutdownDeadline = workDeadline + 2*time.Second

// Serve answers requests on listener until ctx ends, then lets those in flight finish and returns nil. It closes the
// listener. Those that outlast a deadline are cut off.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger zerolog.Logger) error {
	return serve(ctx, listener, handler, logger, standardLimits())
}

// limits are what a client may take: to send a header (and to agree on TLS before it), to send a request of at most 1 MiB, to
// receive an answer, of which live events have a limit of their own, and to say nothing between two requests. The time to receive
// counts from the header on, making the answer included, so it must be longer than whatever takes longest to be made.
type limits struct{ header, request, answer, idle time.Duration }

func standardLimits() limits {
	return limits{header: 10 * time.Second, request: 30 * time.Second, answer: planDeadline + time.Minute, idle: 2 * time.Minute}
}

// maxHeader is what a header may have of bytes; net/http lets 4 KiB more pass.
const maxHeader = 64 << 10

func serve(ctx context.Context, listener net.Listener, handler http.Handler, logger zerolog.Logger, within limits) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: within.header,
		ReadTimeout:       within.request,
		WriteTimeout:      within.answer,
		IdleTimeout:       within.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(logger, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	return shutDown(server, logger)
}

func shutDown(server *http.Server, logger zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownDeadline)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		logger.Warn().Dur("after", shutdownDeadline).Msg("requests still in flight are cut off")
		return server.Close()
	}
	return err
}
