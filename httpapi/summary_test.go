package httpapi_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// table reads an answer as CSV, and checks that it says so.
func (a answer) table(t *testing.T) [][]string {
	t.Helper()
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/csv" || a.Header.Get("Vary") != "Accept" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestTheSummaryIsAnAnswerAndATable(t *testing.T) {
	f := setup(t)
	id, _ := f.running()
	f.finish(id)
	f.insert("copy", time.Now())
	var summary struct {
		Since, Until *string
		Groups       []map[string]any
	}
	f.get("/stats/summary?since=2020-01-01T00:00:00%2B02:00").into(t, http.StatusOK, &summary)
	if len(summary.Groups) != 2 || *summary.Since != "2019-12-31T22:00:00Z" || summary.Until != nil {
		t.Fatalf("%+v", summary)
	}
	rows := f.send(http.MethodGet, "/stats/summary", "", "Accept", "text/csv").table(t)
	if len(rows) != 3 || rows[0][0] != "strategy" {
		t.Errorf("%q", rows)
	}
	f.get("/stats/summary?since=2999-01-01T00:00:00Z").into(t, http.StatusOK, &summary)
	if summary.Groups == nil || len(summary.Groups) != 0 {
		t.Errorf("%+v", summary)
	}
}

var nextLink = regexp.MustCompile(`^<(/stats/jobs-history\?[^>]*)>; rel="next"$`)

func TestTheHistoryIsATableWhosePagesLeadToTheNext(t *testing.T) {
	f := setup(t)
	for range 5 {
		f.insert("copy", time.Now())
	}
	target, seen := "/stats/jobs-history?limit=2&status=pending", ""
	for {
		a := f.send(http.MethodGet, target, "", "Accept", "text/csv")
		for _, row := range a.table(t)[1:] {
			seen += row[0]
		}
		link := a.Header.Get("Link")
		if link == "" {
			break
		}
		found := nextLink.FindStringSubmatch(link)
		if found == nil {
			t.Fatalf("%q", link)
		}
		if query, err := url.ParseQuery(found[1]); err != nil || query.Get("status") == "" && !strings.Contains(found[1], "status=pending") {
			t.Fatalf("the filter is lost: %q", link)
		}
		target = found[1]
	}
	if seen != "54321" {
		t.Errorf("jobs %s", seen)
	}
}
