package httpapi_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/httpapi"
)

// watchedListener tells when it was closed.
type watchedListener struct {
	net.Listener
	closed chan struct{}
	once   sync.Once
}

func (l *watchedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func listen(t *testing.T) *watchedListener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &watchedListener{Listener: listener, closed: make(chan struct{})}
}

func TestServeLetsRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		<-listener.closed // shutting down by now
		_, _ = io.WriteString(w, "whole")
	})
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, listener, handler, zerolog.Nop()) }()
	response, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "whole" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("a service that was told to end returned %v", err)
	}
}

func TestServeReturnsWhenItsListenerFails(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	listener.Close()
	if err := httpapi.Serve(t.Context(), listener, http.NotFoundHandler(), zerolog.Nop()); err == nil {
		t.Error("a closed listener is no reason to go on")
	}
}
