package bed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// API speaks to `ketter serve`, as anybody does.
type API struct {
	base string
	http http.Client
}

// Portal is what POST /portals takes.
type Portal struct {
	Name           string      `json:"name"`
	Kind           string      `json:"kind"`
	RootPath       string      `json:"root_path"`
	Host           string      `json:"host,omitempty"`
	Port           int         `json:"port,omitempty"`
	Username       string      `json:"username,omitempty"`
	HostKey        string      `json:"host_key,omitempty"`
	Credential     *Credential `json:"credential,omitempty"`
	WorkerLabel    string      `json:"worker_label,omitempty"`
	MaxConnections int         `json:"max_connections,omitempty"`
	AgentPath      string      `json:"agent_path,omitempty"`
}

// Credential is a private key in OpenSSH's format.
type Credential struct {
	PrivateKey string `json:"private_key"`
}

// Portal is a folder of the server's host, reached by way of address with a key.
func (s *Sshd) Portal(name, root, address string, key Key) Portal {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text) // what a listener says it listens at
	return Portal{Name: name, Kind: "sftp", RootPath: root, Host: host, Port: port, Username: s.user, HostKey: s.HostKey(),
		Credential: &Credential{PrivateKey: key.Private}}
}

// Order is what POST /jobs takes. Paths are those inside the portals.
type Order struct {
	SourcePortal      string `json:"source_portal,omitempty"`
	Source            string `json:"source_path"`
	DestinationPortal string `json:"destination_portal,omitempty"`
	Destination       string `json:"destination_path"`
	Mode              string `json:"mode"`
	Strategy          string `json:"strategy"`
	Verify            string `json:"verify,omitempty"`
}

// Job is what the API tells of one.
type Job struct {
	ID              int64
	Status          string
	Strategy        *string
	FilesCopied     int64    `json:"files_copied"`
	BytesCopied     int64    `json:"bytes_copied"`
	DurationSeconds *float64 `json:"duration_seconds"`
	Attempts        int
	Error           *struct{ Code, Message, Path string }
	Events          []struct {
		Seq     int64
		Kind    string
		Message string
	}
}

// Took is how long it ran, from `started` to `finished`.
func (j Job) Took() (time.Duration, error) {
	if j.DurationSeconds == nil {
		return 0, fmt.Errorf("job %d has no duration", j.ID)
	}
	return time.Duration(*j.DurationSeconds * float64(time.Second)), nil
}

// Ended reports whether nothing more happens to it by itself.
func (j Job) Ended() bool {
	return j.Status == "success" || j.Status == "failed" || j.Status == "cancelled"
}

// AddPortal registers a portal.
func (a *API) AddPortal(ctx context.Context, p Portal) error {
	return a.ask(ctx, http.MethodPost, "/portals", p, http.StatusCreated, nil)
}

// Post posts a job.
func (a *API) Post(ctx context.Context, o Order) (j Job, err error) {
	return j, a.ask(ctx, http.MethodPost, "/jobs", o, http.StatusCreated, &j)
}

// Job asks for a job, and Detail also for its events.
func (a *API) Job(ctx context.Context, id int64) (j Job, err error) {
	return j, a.ask(ctx, http.MethodGet, fmt.Sprintf("/jobs/%d", id), nil, http.StatusOK, &j)
}

func (a *API) Detail(ctx context.Context, id int64) (j Job, err error) {
	return j, a.ask(ctx, http.MethodGet, fmt.Sprintf("/jobs/%d/detail", id), nil, http.StatusOK, &j)
}

// Run posts a job and returns it once it has succeeded.
func (a *API) Run(ctx context.Context, o Order) (Job, error) {
	j, err := a.Post(ctx, o)
	for err == nil && !j.Ended() {
		if err = pause(ctx, 20*time.Millisecond); err == nil {
			j, err = a.Job(ctx, j.ID)
		}
	}
	if err == nil && j.Status != "success" {
		err = fmt.Errorf("job %d is %s: %+v", j.ID, j.Status, j.Error)
	}
	if err != nil {
		return j, err
	}
	return a.Detail(ctx, j.ID)
}

// awaitReady waits until what it needs is there.
func (a *API) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := a.ask(ctx, http.MethodGet, "/readyz", nil, http.StatusOK, nil)
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("ketter did not become ready: %w", err)
		}
	}
}

func (a *API) ask(ctx context.Context, method, path string, body any, status int, into any) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, &sent)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != status {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
