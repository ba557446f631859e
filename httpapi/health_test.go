package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/httpapi"
)

type readyAnswer struct {
	Status string
	Checks []struct {
		Name         string
		Required, OK bool
		Seconds      float64
		Detail       string
	}
}

func fine(context.Context) error { return nil }

func down(context.Context) error { return errors.New("dial redis://user:hunter2@redis:6379: refused") }

func ready(checks ...httpapi.Check) (http.Handler, *logBuffer) {
	log := &logBuffer{}
	return httpapi.New(httpapi.Options{Ready: checks, Logger: zerolog.New(log)}), log
}

func TestHealthzIsAlwaysOK(t *testing.T) {
	f := setup(t)
	f.options.Ready = []httpapi.Check{{Name: "postgres", Required: true, Check: down}}
	var health struct{ Status, Version string }
	f.get("/healthz").into(t, http.StatusOK, &health)
	if health.Status != "ok" || health.Version != "v1.2.3" {
		t.Errorf("%+v", health)
	}
}

func TestReadyzTellsReadyDegradedAndUnavailableApart(t *testing.T) {
	t.Parallel()
	postgres := httpapi.Check{Name: "postgres", Required: true, Check: fine}
	noPostgres := httpapi.Check{Name: "postgres", Required: true, Check: down}
	redis := httpapi.Check{Name: "redis", Check: fine}
	noRedis := httpapi.Check{Name: "redis", Check: down}
	for _, c := range []struct {
		checks []httpapi.Check
		code   int
		status string
	}{
		{nil, 200, "ready"},
		{[]httpapi.Check{postgres, redis}, 200, "ready"},
		{[]httpapi.Check{postgres, noRedis}, 200, "degraded"},
		{[]httpapi.Check{noPostgres, redis}, 503, "unavailable"},
		{[]httpapi.Check{noPostgres, noRedis}, 503, "unavailable"},
		{[]httpapi.Check{noRedis, noPostgres}, 503, "unavailable"},
	} {
		handler, log := ready(c.checks...)
		a := send(handler, "GET", "/readyz", "")
		var answer readyAnswer
		a.into(t, c.code, &answer)
		if answer.Status != c.status || len(answer.Checks) != len(c.checks) || answer.Checks == nil {
			t.Errorf("%s, want %s", a.body, c.status)
		}
		if strings.Contains(string(a.body), "hunter2") {
			t.Errorf("a connection string got out: %s", a.body)
		}
		if c.status != "ready" && !strings.Contains(log.String(), "refused") {
			t.Errorf("the log doesn't hold the cause: %s", log)
		}
	}
}

func TestReadyzDoesNotWaitForACheckThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		stubborn := func(context.Context) error { <-release; return nil }
		obedient := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		handler, _ := ready(httpapi.Check{Name: "a", Required: true, Check: stubborn}, httpapi.Check{Name: "b", Check: obedient})
		began := time.Now()
		var answer readyAnswer
		send(handler, "GET", "/readyz", "").into(t, http.StatusServiceUnavailable, &answer)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %s; checks run side by side, each for 2 s", took)
		}
		for _, check := range answer.Checks {
			if check.OK || check.Detail != "did not answer within 2s" {
				t.Errorf("%+v", check)
			}
		}
	})
}

func TestReadyzAsksTheDatabase(t *testing.T) {
	f := setup(t)
	f.options.Ready = []httpapi.Check{{Name: "postgres", Required: true, Check: f.store.Ping}}
	f.get("/readyz").into(t, http.StatusOK, new(readyAnswer))
	f.store.Close()
	f.get("/readyz").into(t, http.StatusServiceUnavailable, new(readyAnswer))
}

func TestIndexNamesTheRoutes(t *testing.T) {
	f := setup(t)
	var index struct {
		Name, Version string
		Routes        map[string]string
	}
	f.get("/").into(t, http.StatusOK, &index)
	if index.Name != "ketter" || index.Version != "v1.2.3" || index.Routes["Submit a copy or a move"] != "POST /jobs" {
		t.Errorf("%+v", index)
	}
	if strings.Contains(strings.Join(values(index.Routes), " "), "riverui") {
		t.Error("the index names a page that is not there")
	}
}

func values(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}
