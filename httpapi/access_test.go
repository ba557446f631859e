package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/httpapi"
)

// Tokens of the tests, and whose they are.
const (
	anas = "ketter_anas"
	ruis = "ketter_ruis"
)

type known map[string]string

func (k known) Name(text string) (string, bool) {
	name, found := k[text]
	return name, found
}

// guarded is a fixture whose API asks for a token, and listens where others can connect.
func guarded(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	f.options.Access = httpapi.Access{Tokens: known{anas: "ana", ruis: "rui"}}
	return f
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func basic(user, password string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

func TestWithoutATokenOnlyTheProbesAreAnswered(t *testing.T) {
	f := guarded(t).withRiverUI()
	url := f.serve()
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := get(t, "GET", url+path); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	for _, path := range []string{"/", "/jobs", "/jobs/1", "/jobs/1/events", "/portals", "/stats/jobs-history", "/riverui", "/riverui/", "/riverui/api/jobs",
		"/nowhere", "/healthz/", "//healthz", "/healthz/../jobs", "/readyz/..%2fjobs", "/healthz%2f"} {
		r := get(t, "GET", url+path)
		if r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", path, r.Status)
		}
		if asks := r.Header.Values("WWW-Authenticate"); !slices.Equal(asks, []string{`Bearer realm="Ketter"`, `Basic realm="Ketter", charset="UTF-8"`}) {
			t.Errorf("%s: %q", path, asks)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		f.send(method, "/healthz", "").isProblem(t, http.StatusUnauthorized, "unauthorized")
		f.send(method, "/jobs", "").isProblem(t, http.StatusUnauthorized, "unauthorized")
	}
	f.nothingInserted()
}

func TestATokenOpensAsBearerAndAsPassword(t *testing.T) {
	f := guarded(t).withRiverUI()
	url := f.serve()
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"bearer":          {bearer(anas), 200},
		"a lower case":    {[]string{"Authorization", "bearer " + anas}, 200},
		"password":        {basic("anybody", anas), 200},
		"no user":         {basic("", anas), 200},
		"as the user":     {basic(anas, ""), 401},
		"wrong":           {bearer(anas + "x"), 401},
		"empty":           {bearer(""), 401},
		"not base64":      {[]string{"Authorization", "Basic %%%"}, 401},
		"another scheme":  {[]string{"Authorization", "Digest " + anas}, 401},
		"the token alone": {[]string{"Authorization", anas}, 401},
	} {
		for _, path := range []string{"/jobs", "/riverui/"} {
			if r := get(t, "GET", url+path, c.header...); r.StatusCode != c.status {
				t.Errorf("%s, %s: %s", name, path, r.Status)
			}
		}
	}
}

func TestWhoDidWhatStandsInJobEventsAndLog(t *testing.T) {
	f := guarded(t)
	var job jobAnswer
	f.send("POST", "/jobs", body("", ""), bearer(anas)...).into(t, http.StatusCreated, &job)
	if job.SubmittedBy == nil || *job.SubmittedBy != "ana" {
		t.Errorf("submitted by %v", job.SubmittedBy)
	}
	one := fmt.Sprintf("/jobs/%d", job.ID)
	f.send("POST", one+"/cancel", "", bearer(ruis)...).into(t, http.StatusOK, &job)
	f.send("POST", one+"/retry", "", basic("x", anas)...).into(t, http.StatusOK, &job)
	if *job.SubmittedBy != "ana" {
		t.Errorf("submitted by %v", *job.SubmittedBy)
	}
	told := string(f.send("GET", one+"/detail", "", bearer(ruis)...).body)
	for _, event := range []string{`"kind":"created"`, `"kind":"cancelled"`, `"kind":"retry_scheduled"`} {
		_, after, found := strings.Cut(told, event)
		_, actor, _ := strings.Cut(after, `"actor":`)
		want := `"ana"`
		if event == `"kind":"cancelled"` {
			want = `"rui"`
		}
		if !found || !strings.HasPrefix(actor, want) {
			t.Errorf("%s: actor %.10s", event, actor)
		}
	}
	log := f.log.String()
	for _, line := range []string{`"token":"rui"`, `"token":"ana"`, `"remote":"192.0.2.1"`} {
		if !strings.Contains(log, line) {
			t.Errorf("no %s in the log: %s", line, log)
		}
	}
	if strings.Contains(log+told, anas) || strings.Contains(log+told, ruis) {
		t.Error("a token is told")
	}
}

func TestWhereNobodyIsAskedNobodyIsNamed(t *testing.T) {
	f := setup(t)
	var job jobAnswer
	f.send("POST", "/jobs", body("", ""), bearer(anas)...).into(t, http.StatusCreated, &job)
	told := f.get(fmt.Sprintf("/jobs/%d/detail", job.ID))
	if job.SubmittedBy != nil || !strings.Contains(string(told.body), `"actor":null`) || strings.Contains(f.log.String(), `"token"`) {
		t.Errorf("%v %s %s", job.SubmittedBy, told.body, f.log)
	}
}

func TestManyWrongTokensAreCountedAndLockNobodyOut(t *testing.T) {
	f := guarded(t)
	now := time.Now()
	f.options.Now = func() time.Time { return now }
	h := httpapi.New(f.options)
	wrong := func() answer { return send(h, "GET", "/jobs", "", bearer("ketter_wrong")...) }
	for range 10 {
		wrong().isProblem(t, http.StatusUnauthorized, "unauthorized")
	}
	for range 5 {
		a := wrong()
		a.isProblem(t, http.StatusTooManyRequests, "too_many_attempts")
		if a.Header.Get("Retry-After") != "61" {
			t.Errorf("Retry-After %s", a.Header.Get("Retry-After"))
		}
	}
	if a := send(h, "GET", "/jobs", "", bearer(anas)...); a.StatusCode != http.StatusOK {
		t.Errorf("who has a token is locked out from the same address: %d", a.StatusCode)
	}
	send(h, "GET", "/jobs", "").isProblem(t, http.StatusUnauthorized, "unauthorized") // a browser that hasn't asked its user yet
	if n := strings.Count(f.log.String(), "many wrong tokens"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	now = now.Add(time.Minute)
	wrong().isProblem(t, http.StatusUnauthorized, "unauthorized")
}

// A page that has led its own name to this address asks with that name (DNS rebinding).
func TestALoopbackServerAnswersToNoForeignName(t *testing.T) {
	f := setup(t)
	f.options.Access = httpapi.Access{Loopback: true, Hosts: []string{"ketter.studio.example"}}
	url := f.serve()
	port := url[strings.LastIndex(url, ":"):]
	for name, status := range map[string]int{
		"127.0.0.1" + port: 200, "127.0.0.1": 200, "localhost" + port: 200, "LOCALHOST": 200, "localhost.": 200, "[::1]" + port: 200, "127.8.9.1": 200,
		"[::ffff:127.0.0.1]": 200, "ketter.studio.example": 200, "Ketter.Studio.Example:444": 200,
		"evil.example": 403, "evil.example" + port: 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "evil.localhost": 403,
		"0.0.0.0" + port: 403, "192.168.1.5": 403, "2130706433": 403, "[::]": 403, "studio.example": 403,
	} {
		for _, method := range []string{"GET", "POST"} {
			r := asking(t, method, url+"/jobs", name)
			if method == "GET" && r.StatusCode != status || method == "POST" && (r.StatusCode == 403) != (status == 403) {
				t.Errorf("%s as %s: %s", method, name, r.Status)
			}
		}
	}
	f.nothingInserted()
	r := asking(t, "GET", url+"/jobs", "evil.example")
	said, _ := io.ReadAll(r.Body)
	if !strings.Contains(string(said), `\"evil.example\"`) || !strings.Contains(string(said), "KETTER_API_HOSTS") || !strings.Contains(string(said), `"forbidden_origin"`) {
		t.Errorf("%s", said)
	}
}

// asking is get with a Host of its own.
func asking(t *testing.T, method, url, name string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = name
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestElsewhereOnlyListedNamesAndAddressesAreAnswered(t *testing.T) {
	f := guarded(t)
	for name, listed := range map[string]int{"ketter.studio.example": 200, "evil.example": 403, "192.168.1.5:8000": 200, "[fd00::1]": 200, "localhost": 200} {
		f.options.Access.Hosts = []string{"ketter.studio.example"}
		h := httpapi.New(f.options)
		if got := sendTo(h, name, "GET", "/jobs", bearer(anas)...).StatusCode; got != listed {
			t.Errorf("%s, with a list: %d", name, got)
		}
		f.options.Access.Hosts = nil
		h = httpapi.New(f.options)
		if got := sendTo(h, name, "GET", "/jobs", bearer(anas)...).StatusCode; got != 200 {
			t.Errorf("%s, without a list: %d", name, got)
		}
	}
}

// sendTo is send for a URL of that host.
func sendTo(h http.Handler, name, method, path string, header ...string) answer {
	return send(h, method, "http://"+name+path, "", header...)
}

// A page of another site posts, and the browser adds the sign-in that it remembers for us, as it does with basic credentials.
func TestAPageOfAnotherSiteCanChangeNothing(t *testing.T) {
	f := guarded(t)
	remembered := basic("ana", anas)
	for name, header := range map[string][]string{
		"another site, as new browsers tell":  {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://evil.example"},
		"another port, as new browsers tell":  {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Origin", "http://example.com:3000"},
		"a form, as new browsers tell":        {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "null"},
		"another site, as old browsers tell":  {"Origin", "https://evil.example"},
		"another port, as old browsers tell":  {"Origin", "http://example.com:8001"},
		"nowhere, as sandboxed frames do":     {"Origin", "null"},
		"a site whose name begins with ours":  {"Origin", "http://example.com.evil.example"},
		"a site that has our name as user":    {"Origin", "http://example.com@evil.example"},
		"new browsers' word counts for more":  {"Sec-Fetch-Site", "cross-site", "Origin", "http://example.com"},
		"what is no origin":                   {"Origin", "example.com"},
		"with credentials, though none count": {"Origin", "https://evil.example", "X-Requested-With", "XMLHttpRequest"},
	} {
		for _, credentials := range [][]string{remembered, nil} {
			all := append(slices.Clone(header), credentials...)
			for _, target := range []string{"POST /jobs", "POST /jobs/1/cancel", "POST /portals", "PUT /portals/1", "DELETE /portals/1", "POST /portals/1/test"} {
				method, path, _ := strings.Cut(target, " ")
				a := f.send(method, path, body("", ""), all...)
				if a.StatusCode != http.StatusForbidden {
					t.Errorf("%s, %s: %d %s", name, target, a.StatusCode, a.body)
				}
			}
		}
	}
	f.nothingInserted()
	for name, header := range map[string][]string{
		"our page, as new browsers tell": {"Sec-Fetch-Site", "same-origin", "Origin", "https://proxy.example"},
		"our page, as old browsers tell": {"Origin", "http://example.com"},
		"no browser":                     {},
	} {
		if a := f.send("POST", "/jobs", body("", ""), append(header, remembered...)...); a.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestAPageOfAnotherSiteReadsNothingButALinkCanBeFollowed(t *testing.T) {
	f := guarded(t)
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"an image":             {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		"a script's question":  {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.example"}, 403},
		"an old browser's":     {[]string{"Origin", "https://evil.example"}, 403},
		"a frame":              {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"a link that is taken": {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"the address bar":      {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"our page":             {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
	} {
		a := f.send("GET", "/jobs", "", append(c.header, bearer(anas)...)...)
		if a.StatusCode != c.status {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: it may be read elsewhere", name)
		}
	}
	f.send("OPTIONS", "/jobs", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST").
		isProblem(t, http.StatusForbidden, "forbidden_origin")
}

func TestEveryAnswerTellsBrowsersToKeepItApart(t *testing.T) {
	f := guarded(t).withRiverUI()
	for _, target := range []string{"/healthz", "/jobs", "/riverui/", "/nowhere"} {
		for _, header := range [][]string{nil, bearer(anas)} {
			a := f.send("GET", target, "", header...)
			for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s: %s: %q", target, name, got)
				}
			}
			if !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s can be framed", target)
			}
		}
	}
}
