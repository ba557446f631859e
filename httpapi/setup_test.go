package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/testdb"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// fixture is the API on a database and a River client of its own.
type fixture struct {
	t       *testing.T
	store   *db.Store
	client  *riverjobs.Client
	options httpapi.Options
	log     *logBuffer
	vault   *vault
}

// vault keeps credentials instead of encrypting them.
type vault struct {
	mu     sync.Mutex
	sealed []remote.Credential
	err    error
}

func (v *vault) Seal(portal int64, credential remote.Credential) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sealed = append(v.sealed, credential)
	return fmt.Appendf(nil, "%d of %d", len(v.sealed), portal), v.err
}

func (v *vault) Readable(db.Portal) bool { return v.err == nil }

func setup(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	return newFixture(t)
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, _ := testdb.New(t)
	client, err := riverjobs.NewClient(store, deaf{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, store: store, client: client, log: &logBuffer{}, vault: &vault{}}
	f.options = httpapi.Options{
		Submitter: client, Operator: client, Jobs: store, Portals: store, Credentials: f.vault, AllowedRoots: []string{"/data", "/mnt/nexis"}, Version: "v1.2.3",
		Logger: zerolog.New(f.log),
	}
	return f
}

// deaf drops events: nobody listens here.
type deaf struct{}

func (deaf) Publish(int64, int64, string) {}

type logBuffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.String()
}

// answer is a response, its body read.
type answer struct {
	*http.Response
	body []byte
}

func send(h http.Handler, method, target, body string, header ...string) answer {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if method == http.MethodPost || method == http.MethodPut {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	response := w.Result()
	read, _ := io.ReadAll(response.Body)
	if err := httpapi.CheckAnswer(method, r.URL.Path, response, read); err != nil {
		panic(err) // every answer of every test is held against the contract
	}
	return answer{response, read}
}

func (f *fixture) send(method, target, body string, header ...string) answer {
	f.t.Helper()
	return send(httpapi.New(f.options), method, target, body, header...)
}

func (f *fixture) get(target string) answer {
	f.t.Helper()
	return f.send(http.MethodGet, target, "")
}

// into decodes the body, which must have the status and hold nothing that v doesn't know.
func (a answer) into(t *testing.T, status int, v any) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

type problem struct {
	Type, Title, Detail, Code, Hint, Path string
	Status                                int
	RequestID                             string `json:"request_id"`
}

// isProblem checks what every error answer has.
func (a answer) isProblem(t *testing.T, status int, code string) problem {
	t.Helper()
	var p problem
	a.into(t, status, &p)
	if p.Code != code {
		t.Fatalf("code %q, want %q: %s", p.Code, code, a.body)
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if p.Status != status || p.Type != "urn:ketter:problem:"+code || p.Title == "" || p.Hint == "" {
		t.Errorf("the problem is not whole: %s", a.body)
	}
	if !strings.HasSuffix(p.Detail, ".") {
		t.Errorf("the detail is not a sentence: %q", p.Detail)
	}
	if p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		t.Errorf("request id %q, header %q", p.RequestID, a.Header.Get("X-Request-Id"))
	}
	return p
}

type jobAnswer struct {
	ID                int64    `json:"id"`
	Mode              string   `json:"mode"`
	Status            string   `json:"status"`
	Queue             string   `json:"queue"`
	Priority          int      `json:"priority"`
	Attempts          int      `json:"attempts"`
	Strategy          *string  `json:"strategy"`
	SourcePath        string   `json:"source_path"`
	DestinationPath   string   `json:"destination_path"`
	SourcePortal      *string  `json:"source_portal"`
	DestinationPortal *string  `json:"destination_portal"`
	FilesCopied       int64    `json:"files_copied"`
	BytesCopied       int64    `json:"bytes_copied"`
	DurationSeconds   *float64 `json:"duration_seconds"`
	QueuedSeconds     float64  `json:"queued_seconds"`
	CreatedAt         string   `json:"created_at"`
	StartedAt         *string  `json:"started_at"`
	FinishedAt        *string  `json:"finished_at"`
	UpdatedAt         string   `json:"updated_at"`
	SubmittedBy       *string  `json:"submitted_by"`
	Error             *struct {
		Code, Message, Hint string
		Path                *string
	} `json:"error"`
	Progress *progressAnswer `json:"progress"` // where a job is asked for by its id
}

type progressAnswer struct {
	Worker         string   `json:"worker"`
	Phase          *string  `json:"phase"`
	FilesDone      int64    `json:"files_done"`
	FilesTotal     int64    `json:"files_total"`
	BytesDone      int64    `json:"bytes_done"`
	BytesTotal     int64    `json:"bytes_total"`
	BytesPerSecond float64  `json:"bytes_per_second"`
	EtaSeconds     *float64 `json:"eta_seconds"`
	UpdatedAt      string   `json:"updated_at"`
}

type pageAnswer struct {
	Jobs       []jobAnswer `json:"jobs"`
	NextBefore *int64      `json:"next_before"`
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.store.Pool().Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) count(table string) (n int) {
	f.t.Helper()
	if err := f.store.Pool().QueryRow(f.t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// nothingInserted fails the test if a job left a trace.
func (f *fixture) nothingInserted() {
	f.t.Helper()
	for _, table := range []string{"jobs", "job_events", "river_job"} {
		if n := f.count(table); n != 0 {
			f.t.Errorf("%s has %d rows", table, n)
		}
	}
}

// insert makes a pending job that was created at a time, and returns its id.
func (f *fixture) insert(mode string, created time.Time) (id int64) {
	f.t.Helper()
	err := f.store.Pool().QueryRow(f.t.Context(),
		`INSERT INTO jobs (mode, source_path, destination_path, created_at, queued_at) VALUES ($1, '/data/s', '/data/d', $2, $2) RETURNING id`,
		mode, created).Scan(&id)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *fixture) start(id int64, at time.Time) {
	f.t.Helper()
	f.exec(`UPDATE jobs SET status = 'running', started_at = $2, attempts = attempts + 1 WHERE id = $1`, id, at)
}

func (f *fixture) succeed(id int64, strategy, method string, at time.Time) {
	f.t.Helper()
	f.exec(`UPDATE jobs SET status = 'success', strategy = $2, method = $3, finished_at = $4 WHERE id = $1`, id, strategy, method, at)
}

// happen records an event.
func (f *fixture) happen(id int64, kind transfer.EventKind) {
	f.t.Helper()
	_, err := db.New(f.store.Pool()).AddEvent(f.t.Context(), db.AddEventParams{
		JobID: id, Kind: kind, Message: "It & <that> happened", Payload: []byte(`{"bytes": 9007199254740993}`),
	})
	if err != nil {
		f.t.Error(err)
	}
}

// brokenJobs is a store whose every answer is err.
type brokenJobs struct {
	err error
	saw func(context.Context)
}

func (b brokenJobs) answer(ctx context.Context) error {
	if b.saw != nil {
		b.saw(ctx)
	}
	return b.err
}

func (b brokenJobs) Jobs(ctx context.Context, _ db.JobFilter) ([]db.Job, error) {
	return nil, b.answer(ctx)
}

func (b brokenJobs) JobWithProgress(ctx context.Context, _ int64) (db.Followed, error) {
	return db.Followed{}, b.answer(ctx)
}

func (b brokenJobs) Follow(ctx context.Context, _, _ int64, _ int32) (db.Followed, error) {
	return db.Followed{}, b.answer(ctx)
}

func (b brokenJobs) Summary(ctx context.Context, _ db.SummaryFilter) ([]db.SummaryGroup, error) {
	return nil, b.answer(ctx)
}
