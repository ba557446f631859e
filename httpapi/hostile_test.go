package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ketter/ketter/httpapi"
)

func TestANumberThatTakesLongToCompareIsRefused(t *testing.T) {
	f := setup(t)
	for _, number := range []string{"1." + strings.Repeat("0", 900_000) + "1", "1e-999999", "1e999999", "1E2"} {
		p := f.send("POST", "/jobs", `{"source_path":"/data/a","destination_path":"/data/b","mode":"copy","priority":`+number+`}`).isProblem(t, 400, "invalid_request")
		if !strings.Contains(p.Detail, "without an exponent") { // which is what a comparison would take seconds for
			t.Error(p.Detail)
		}
	}
}

func TestWhatTheDatabaseCanNotTakeIsRefusedInAQuery(t *testing.T) {
	f := setup(t)
	for _, path := range []string{"/jobs?portal=%00", "/jobs?portal=%FF", "/stats/summary?portal=%C3%28", "/stats/jobs-history?portal=a%00b",
		"/stats/summary?until=9999-12-31T23:59:59-23:59", "/stats/summary?since=0000-01-01T00:00:00%2B23:59", "/jobs?since=2016-12-31T23:59:60Z"} {
		f.send("GET", path, "").isProblem(t, http.StatusBadRequest, "invalid_request")
	}
}

func TestNoPageOfAnotherSiteGetsWhatAsksNobodyWhoHeIs(t *testing.T) {
	t.Parallel()
	h := httpapi.OwnPagesOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), []string{"proxy.example"})
	for _, c := range []struct {
		host, site string
		want       int
	}{{"127.0.0.1:9464", "", 200}, {"localhost:9464", "", 200}, {"proxy.example", "", 200}, {"evil.example:9464", "", 403}, {"127.0.0.1:9464", "cross-site", 403}} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = c.host
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}
