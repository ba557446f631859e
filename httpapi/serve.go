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
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // of a body of 1 MiB
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(logger, "", 0),
		// No WriteTimeout: it would cut live events off. Other answers are small, and wait for workDeadline at most.
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
