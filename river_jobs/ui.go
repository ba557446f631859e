package riverjobs

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/rs/zerolog"
	"riverqueue.com/riverui"
)

// UI is River's own inspection UI. It has no access control and its POSTs would bypass our rows, so whoever mounts it
// serves it read-only.
type UI struct {
	handler *riverui.Handler
}

// NewUI makes the UI, to be served below prefix ("/riverui").
func (c *Client) NewUI(prefix string) (*UI, error) {
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(c.river, nil),
		Logger:    slog.New(zerolog.NewSlogHandler(c.logger.Level(zerolog.WarnLevel))),
		Prefix:    prefix,
	})
	if err != nil {
		return nil, err
	}
	return &UI{handler: handler}, nil
}

// Start begins the UI's background queries; they end with ctx.
func (u *UI) Start(ctx context.Context) error { return u.handler.Start(ctx) }

// ServeHTTP serves the UI.
func (u *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.handler.ServeHTTP(w, r) }
