package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/testdb"
)

// nobody is an address where nothing listens.
const nobody = "127.0.0.1:1"

func load(t *testing.T, environ ...string) config.Config {
	t.Helper()
	c, _, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheHealthOfAnAPIIsItsAnswer(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+nobody)
	var out strings.Builder
	if err := askAPI(t.Context(), load(t, "KETTER_LISTEN="+strings.TrimPrefix(s.url, "http://")), &out); err != nil || !strings.Contains(out.String(), "answers") {
		t.Errorf("%v, %s", err, &out)
	}
	if err := askAPI(t.Context(), load(t, "KETTER_LISTEN="+nobody), &out); report(&out, err) != 1 {
		t.Errorf("of nobody: %v", err)
	}
}

func TestTheHealthOfAWorkerIsItsHostsHeartbeat(t *testing.T) {
	t.Parallel()
	url := "redis://" + miniredis.RunT(t).Addr()
	redis, err := broker.Open(url, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	beat := func(host string) error {
		if err := redis.Heartbeat(t.Context(), broker.Worker{Name: host + "-7", Host: host}); err != nil {
			t.Fatal(err)
		}
		return askWorker(t.Context(), load(t, "REDIS_URL="+url), &out)
	}
	if err := beat("elsewhere"); report(&out, err) != 1 || !strings.Contains(out.String(), "worker_silent") {
		t.Errorf("another host's heartbeat: %v", err)
	}
	if err := beat(host); err != nil || !strings.Contains(out.String(), "Worker "+host+"-7 lives") {
		t.Errorf("%v, %s", err, &out)
	}
}

func TestAWorkerIsHealthyWithoutRedisWhileTheDatabaseAnswers(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	var out strings.Builder
	if err := askWorker(t.Context(), load(t, "REDIS_URL=redis://"+nobody, "DB_URL="+dbURL), &out); err != nil {
		t.Error(err)
	}
	if err := askWorker(t.Context(), load(t, "REDIS_URL=redis://"+nobody, "DB_URL=postgres://"+nobody+"/none"), &out); err == nil {
		t.Error("with neither it is healthy")
	}
}
