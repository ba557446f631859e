package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// client speaks to the API.
type client struct {
	base string
	http *http.Client
}

func newClient(base string) *client {
	return &client{base: base, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}}
}

// job is what is asked of a job's answer.
type job struct {
	ID         int64
	Status     string
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at"`
	Events     []struct {
		Kind      string
		CreatedAt time.Time `json:"created_at"`
	}
}

// startedAt is when the job was taken by a worker, by its event.
func (j job) startedAt() (time.Time, error) {
	for _, event := range j.Events {
		if event.Kind == "started" {
			return event.CreatedAt, nil
		}
	}
	return time.Time{}, fmt.Errorf("job %d has no event of its start", j.ID)
}

func (c *client) post(ctx context.Context, source, destination, verify string) (j job, err error) {
	body, err := json.Marshal(map[string]string{
		"source_path": source, "destination_path": destination, "mode": "copy", "verify": verify})
	if err != nil {
		return j, err
	}
	return j, c.ask(ctx, http.MethodPost, "/jobs", body, http.StatusCreated, &j)
}

func (c *client) detail(ctx context.Context, id int64) (j job, err error) {
	return j, c.ask(ctx, http.MethodGet, fmt.Sprintf("/jobs/%d/detail", id), nil, http.StatusOK, &j)
}

func (c *client) job(ctx context.Context, id int64) (j job, err error) {
	return j, c.ask(ctx, http.MethodGet, fmt.Sprintf("/jobs/%d", id), nil, http.StatusOK, &j)
}

// some reports whether there is a job of a status.
func (c *client) some(ctx context.Context, status string) (bool, error) {
	var page struct{ Jobs []job }
	err := c.ask(ctx, http.MethodGet, "/jobs?limit=1&status="+status, nil, http.StatusOK, &page)
	return len(page.Jobs) > 0, err
}

// awaitReady waits until the API says that all is there, workers included.
func (c *client) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var ready struct {
			Checks []struct {
				Name string
				OK   bool
			}
		}
		err := c.ask(ctx, http.MethodGet, "/readyz", nil, http.StatusOK, &ready)
		for _, check := range ready.Checks {
			if !check.OK {
				err = errors.Join(err, fmt.Errorf("%s is not ready", check.Name))
			}
		}
		if err == nil {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("ketter did not become ready: %w", err)
		}
	}
}

func (c *client) ask(ctx context.Context, method, path string, body []byte, status int, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
