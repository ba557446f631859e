package httpapi_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// withRiverUI mounts the real one.
func (f *fixture) withRiverUI() *fixture {
	f.t.Helper()
	ui, err := f.client.NewUI("/riverui")
	if err != nil {
		f.t.Fatal(err)
	}
	if err := ui.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.options.RiverUI = ui
	return f
}

func TestRiverUIServesItsPageAndScripts(t *testing.T) {
	f := setup(t).withRiverUI()
	if a := f.get("/riverui"); a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != "/riverui/" {
		t.Errorf("/riverui: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	page := f.get("/riverui/")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s: %s", page.StatusCode, page.Header.Get("Content-Type"), page.body)
	}
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "default-src") {
		t.Errorf("the page could not load its own scripts: %s", csp)
	}
	script := regexp.MustCompile(`src="(/riverui/[^"]+\.js)"`).FindSubmatch(page.body)
	if script == nil {
		t.Fatalf("the page has no script below /riverui: %s", page.body)
	}
	a := f.get(string(script[1]))
	if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Content-Type"), "javascript") {
		t.Errorf("%s: %d %s", script[1], a.StatusCode, a.Header.Get("Content-Type"))
	}
}

func TestRiverUIIsReadOnly(t *testing.T) {
	f := setup(t).withRiverUI()
	f.send("POST", "/jobs", body("", "")).into(t, http.StatusCreated, new(jobAnswer))
	if a := f.get("/riverui/api/jobs?state=available&limit=20"); a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), `"transfer"`) {
		t.Errorf("River UI doesn't list the job: %d %s", a.StatusCode, a.body)
	}
	for _, target := range []string{"/riverui", "/riverui/", "/riverui/api/jobs/cancel", "/riverui/api/jobs/delete", "/riverui/api/queues/default/pause"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			f.send(method, target, `{"ids":["1"]}`).isProblem(t, http.StatusMethodNotAllowed, "method_not_allowed")
		}
	}
	var state string
	if err := f.store.Pool().QueryRow(t.Context(), "SELECT state FROM river_job").Scan(&state); err != nil || state != "available" {
		t.Errorf("the River job is %s, %v", state, err)
	}
}

func TestRiverUIWithoutItsDatabaseKeepsItsErrorsToItself(t *testing.T) {
	f := setup(t).withRiverUI()
	f.store.Close()
	a := f.get("/riverui/api/jobs?state=available")
	if a.StatusCode < 500 || strings.Contains(string(a.body), "pool") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}
