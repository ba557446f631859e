package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

// A plan may take longer than a request may take to arrive, and than an answer.
func TestAPlanOutlivesTheTimesOfARequestAndAnAnswer(t *testing.T) {
	f := setup(t)
	f.options.Planner = planner(func(ctx context.Context, _ transfer.Submission) (httpapi.Plan, error) {
		select {
		case <-ctx.Done():
			return httpapi.Plan{}, ctx.Err()
		case <-time.After(40 * soon):
		}
		return httpapi.Plan{}, nil
	})
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- httpapi.ServeWithin(ctx, listener, httpapi.New(f.options), never, never, 20*soon, never)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/jobs", strings.NewReader(dry))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", response.Status, said, err)
	}
}
