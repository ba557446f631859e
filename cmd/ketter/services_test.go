package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// site is a running Ketter: API and worker on a database, a Redis and a root of their own.
type site struct {
	t         *testing.T
	url, root string
	token     string // empty: none is asked for
}

// do asks the API.
func (s site) do(request *http.Request, err error) *http.Response {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

// setup starts services as `ketter up` would, and ends them with the test.
func setup(t *testing.T, dbURL, redisURL string, environ ...string) site {
	t.Helper()
	return setupLogging(t, zerolog.Nop(), dbURL, redisURL, environ...)
}

func setupLogging(t *testing.T, logger zerolog.Logger, dbURL, redisURL string, environ ...string) site {
	t.Helper()
	return start(t, services{logger: logger, works: true}, dbURL, redisURL, t.TempDir(), environ...)
}

// start starts services, which say whether there is a worker, on the root.
func start(t *testing.T, what services, dbURL, redisURL, root string, environ ...string) site {
	t.Helper()
	c, _, err := config.Load(append(environ, "KETTER_LISTEN=127.0.0.1:0", "DB_URL="+dbURL, "REDIS_URL="+redisURL, "KETTER_ALLOWED_ROOTS="+root))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := listen(c, what.logger)
	if err != nil {
		t.Fatal(err)
	}
	what.config, what.listener = c, listener
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- what.run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the services ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return site{t: t, url: ownAPI(c, listener.Addr().String()), root: root}
}

// job is what the tests read of GET /jobs/{id}/detail.
type job struct {
	ID               int64
	Status, Strategy string
	Method           string
	FilesCopied      int64 `json:"files_copied"`
	BytesCopied      int64 `json:"bytes_copied"`
	Error            *struct{ Code, Message string }
	Events           []struct {
		Kind    string
		Payload map[string]any
	}
}

func (s site) post(body map[string]string) job {
	s.t.Helper()
	payload, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/jobs", bytes.NewReader(payload))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return decode(s.t, s.do(request, err), http.StatusCreated)
}

// finished polls the job's detail until it has ended.
func (s site) finished(id int64) job {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		response := s.do(http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/jobs/%d/detail", s.url, id), nil))
		if j := decode(s.t, response, http.StatusOK); j.Status != "pending" && j.Status != "running" {
			return j
		}
		<-ticker.C
	}
}

func decode(t *testing.T, response *http.Response, status int) job {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("status %d, not %d: %s (%v)", response.StatusCode, status, body, err)
	}
	var j job
	if err := json.Unmarshal(body, &j); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return j
}

func makeFolder(t *testing.T, folder string, files int) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		name := filepath.Join(folder, fmt.Sprintf("take %04d.wav", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i)), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

func sameTree(t *testing.T, want, got string) {
	t.Helper()
	if out, err := exec.Command("diff", "-r", want, got).CombinedOutput(); err != nil {
		t.Errorf("the trees differ: %v\n%s", err, out)
	}
}

func TestAPostedJobArrivesByTheStrategyItsFolderAsksFor(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr(), "KETTER_ZIP_THRESHOLD_FILES=100")
	reference := t.TempDir()
	for _, test := range []struct {
		name, mode, strategy string
		files                int
		wantStrategy, method string
	}{
		{"few", "copy", "AUTO", 100, "DIRECT", "copy"},
		{"many", "copy", "AUTO", 101, "ZIP_FIRST", "archive"},
		{"renamed", "move", "AUTO", 101, "ZIP_FIRST", "rename"},
		{"forced", "move", "ZIP_FIRST", 101, "ZIP_FIRST", "archive"},
		{"forced direct", "move", "DIRECT", 101, "DIRECT", "copy"},
	} {
		source, destination := filepath.Join(s.root, "in", test.name), filepath.Join(s.root, "out")
		makeFolder(t, source, test.files)
		makeFolder(t, filepath.Join(reference, test.name), test.files)
		posted := s.post(map[string]string{
			"source_path": source, "destination_path": destination, "mode": test.mode, "strategy": test.strategy,
		})
		j := s.finished(posted.ID)
		if j.Status != "success" || j.Strategy != test.wantStrategy || j.Method != test.method || j.FilesCopied != int64(test.files) {
			t.Errorf("%s: %+v", test.name, j)
		}
		sameTree(t, filepath.Join(reference, test.name), filepath.Join(destination, test.name))
		if _, err := os.Lstat(source); (test.mode == "move") != errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the source after a %s: %v", test.name, test.mode, err)
		}
	}
}

func TestARedisThatStopsInTheMiddleOfAJobDoesNotMatter(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	redis := miniredis.RunT(t)
	s := setup(t, dbURL, "redis://"+redis.Addr())
	hold := testdb.HoldAt(t, dbURL, "verified")
	source := filepath.Join(s.root, "session")
	makeFolder(t, source, 20)
	posted := s.post(map[string]string{"source_path": source, "destination_path": filepath.Join(s.root, "out"), "mode": "copy"})
	hold.Reached()
	redis.Close()
	hold.Release()
	if j := s.finished(posted.ID); j.Status != "success" {
		t.Errorf("%+v", j)
	}
	sameTree(t, source, filepath.Join(s.root, "out", "session"))
}

func TestAConnectionCutInTheMiddleOfAJobCostsNoCopy(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.New(t)
	s := setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr())
	hold := testdb.HoldAt(t, dbURL, "verified")
	source := filepath.Join(s.root, "session")
	makeFolder(t, source, 20)
	posted := s.post(map[string]string{"source_path": source, "destination_path": filepath.Join(s.root, "out"), "mode": "copy"})
	hold.Reached()
	hold.Sever()
	hold.Release()
	j := s.finished(posted.ID)
	if j.Status != "success" {
		t.Errorf("%+v", j)
	}
	for _, event := range j.Events {
		if event.Kind == "retry_scheduled" {
			t.Errorf("the copy was begun again: %+v", event)
		}
	}
	sameTree(t, source, filepath.Join(s.root, "out", "session"))
}

func TestServicesRefuseADatabaseThatWasNeverMigrated(t *testing.T) {
	t.Parallel()
	_, dbURL := testdb.Empty(t)
	c, _, err := config.Load([]string{"DB_URL=" + dbURL, "REDIS_URL=redis://127.0.0.1:1", "KETTER_ALLOWED_ROOTS=/"})
	if err != nil {
		t.Fatal(err)
	}
	err = services{config: c, logger: zerolog.Nop(), works: true}.run(t.Context(), func() { t.Error("it started") })
	if !errors.Is(err, riverjobs.ErrSchema) || !strings.Contains(err.Error(), "ketter migrate up") {
		t.Errorf("got %v", err)
	}
}
