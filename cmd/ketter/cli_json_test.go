package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/infra/testdb"
)

// freeForm are objects whose members differ from one to the next.
var freeForm = []string{"figures", "payload", "failures"}

// sameShape says where two documents differ in their members and in the members' types; null stands for any type.
func sameShape(at string, a, b any) string {
	if a == nil || b == nil {
		return ""
	}
	if fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) {
		return fmt.Sprintf("%s is %T and %T", at, a, b)
	}
	switch a := a.(type) {
	case map[string]any:
		return sameMembers(at, a, b.(map[string]any))
	case []any:
		if b := b.([]any); len(a) > 0 && len(b) > 0 {
			return sameShape(at+"[0]", a[0], b[0])
		}
	}
	return ""
}

func sameMembers(at string, a, b map[string]any) string {
	for name, value := range a {
		other, there := b[name]
		if !there {
			return at + "." + name + " is in the document alone"
		}
		if slices.Contains(freeForm, name) {
			continue
		}
		if said := sameShape(at+"."+name, value, other); said != "" {
			return said
		}
	}
	for name := range b {
		if _, there := a[name]; !there {
			return at + "." + name + " is printed, and not in the document"
		}
	}
	return ""
}

func TestShapesThatDifferAreSeen(t *testing.T) {
	t.Parallel()
	for pair, same := range map[[2]string]bool{
		{`{"a":1,"b":[{"c":null}]}`, `{"a":2,"b":[{"c":"x"}]}`}: true,
		{`{"figures":{"a":1}}`, `{"figures":{"b":"x"}}`}:        true,
		{`{"a":1}`, `{"a":"1"}`}:                                false,
		{`{"a":1}`, `{}`}:                                       false,
		{`{}`, `{"a":1}`}:                                       false,
		{`{"a":[{"b":1}]}`, `{"a":[{"b":true}]}`}:               false,
	} {
		if said := sameShape("", documentsIn(t, pair[0])[0], documentsIn(t, pair[1])[0]); (said == "") != same {
			t.Errorf("%v: %q", pair, said)
		}
	}
}

// documentsIn reads one JSON document after the other.
func documentsIn(t *testing.T, text string) (all []any) {
	t.Helper()
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var document any
		if err := decoder.Decode(&document); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, document)
	}
	return all
}

// examples are those of docs/cli-json.md, by their sections' titles.
func examples(t *testing.T) map[string][]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(docsRoot, "docs/cli-json.md"))
	if err != nil {
		t.Fatal(err)
	}
	found, section := map[string][]any{}, ""
	for n, part := range strings.Split(string(content), "```") {
		if n%2 == 1 {
			found[section] = append(found[section], documentsIn(t, strings.TrimPrefix(part, "json"))...)
			continue
		}
		for line := range strings.Lines(part) {
			if title, is := strings.CutPrefix(line, "## "); is || strings.HasPrefix(line, "### ") {
				section = strings.NewReplacer("`", "", "#", "").Replace(strings.TrimSpace(strings.TrimLeft(title, "# ")))
			}
		}
	}
	return found
}

// printed runs a command with --json and returns what it prints; status is what it has to end with.
func printed(t *testing.T, status int, args ...string) []any {
	t.Helper()
	out, errOut, got := ketter(t, append(args, "--json")...)
	if got != status || errOut != "" {
		t.Fatalf("%v: status %d\n%s%s", args, got, out, errOut)
	}
	return documentsIn(t, out)
}

// lineOf is the first line of a message_type.
func lineOf(t *testing.T, kind string, lines []any) any {
	t.Helper()
	for _, line := range lines {
		if line.(map[string]any)["message_type"] == kind {
			return line
		}
	}
	t.Fatalf("there is no %s in %v", kind, lines)
	return nil
}

func TestEachExampleOfTheJSONIsWhatIsPrinted(t *testing.T) {
	_, dbURL := testdb.New(t)
	t.Setenv("DB_URL", dbURL)
	restored := printed(t, 0, "migrate", "restored") // while nobody else is connected
	redis := "redis://" + miniredis.RunT(t).Addr()
	s := setup(t, dbURL, redis)
	for name, value := range map[string]string{"KETTER_LISTEN": strings.TrimPrefix(s.url, "http://"), "REDIS_URL": redis,
		"KETTER_SECRET_KEY": strings.TrimSpace(first(ketter(t, "secret-key")))} {
		t.Setenv(name, value)
	}
	source, out := filepath.Join(s.root, "session"), filepath.Join(s.root, "out")
	makeFolder(t, source, 3)
	all := examples(t)
	is := func(section string, n int, got any) {
		t.Helper()
		if n >= len(all[section]) {
			t.Fatalf("docs/cli-json.md has %d examples in %q", len(all[section]), section)
		}
		if said := sameShape("", all[section][n], got); said != "" {
			t.Errorf("docs/cli-json.md, %s, example %d: %s", section, n+1, said)
		}
		all[section][n] = nil
	}
	create := []string{"jobs", "create", "--from", source, "--to", out, "--mode", "copy"}
	created := printed(t, 0, append(create, "--queue", "nobody")...)[0].(map[string]any)
	is("ketter jobs create", 0, created)
	lines := printed(t, 0, append(create, "--wait")...)
	is("ketter jobs watch", 0, lines[0])
	is("ketter jobs watch", 2, lineOf(t, "summary", lines))
	is("Errors", 1, lineOf(t, "error", printed(t, 20, append(create, "--wait")...)))
	is("Errors", 0, printed(t, 1, "jobs", "show", "999")[0])
	is("ketter jobs list, ketter stats history", 0, printed(t, 0, "jobs", "list", "--status", "failed")[0])
	is("ketter jobs show", 0, printed(t, 0, "jobs", "show", fmt.Sprintf("%.0f", created["id"]))[0])
	lines = printed(t, 0, "transfer", "--from", source, "--to", filepath.Join(s.root, "o"), "--mode", "copy")
	is("ketter transfer", 0, lines[0])
	is("ketter transfer", 1, lineOf(t, "progress", lines))
	is("ketter transfer", 2, lineOf(t, "summary", lines))
	is("ketter transfer", 3, printed(t, 0, "transfer", "--from", source, "--to", filepath.Join(s.root, "p"), "--mode", "copy", "--dry-run")[0])
	is("ketter portals show, ketter portals add, ketter portals set", 0, printed(t, 0, "portals", "add", "GONE", "--kind", "local", "--root", out+"/none")[0])
	tested := printed(t, 24, "portals", "test", "GONE")[0].(map[string]any)
	checks := tested["checks"].([]any)
	tested["checks"] = checks[len(checks)-1:] // the one that failed
	is("ketter portals test", 0, tested)
	is("ketter portals rm", 0, printed(t, 0, "portals", "rm", "GONE")[0])
	is("ketter portals rekey", 0, printed(t, 0, "portals", "rekey")[0])
	is("ketter portals scan-key", 0, scannedAsJSON(t))
	tokens := filepath.Join(s.root, "tokens")
	is("ketter tokens create", 0, printed(t, 0, "tokens", "create", "ana", "--file", tokens)[0])
	is("ketter tokens list", 0, printed(t, 0, "tokens", "list", "--file", tokens)[0])
	is("ketter tokens revoke", 0, printed(t, 0, "tokens", "revoke", "ana", "--file", tokens)[0])
	is("ketter migrate", 0, restored[0])
	is("ketter migrate", 2, restored[1])
	is("ketter migrate", 1, printed(t, 0, "migrate", "status")[0])
	is("ketter health api, ketter health worker", 0, printed(t, 0, "health", "worker")[0])
	is("ketter config", 0, printed(t, 0, "config")[0])
	is("ketter version", 0, printed(t, 0, "version")[0])
	// What the API answers here is the example itself: nothing of it may be lost, and nothing be added.
	for section, test := range map[string]struct {
		n    int
		args []string
	}{
		"With --dry-run":   {0, create[:0:0]},
		"ketter stats":     {0, []string{"stats"}},
		"ketter jobs show": {0, []string{"jobs", "show", "12"}},
	} {
		example := examples(t)[section][test.n]
		status := 0
		if len(test.args) == 0 {
			test.args, status = append(slices.Clone(create), "--dry-run"), 20
		}
		got := printed(t, status, append(test.args, "--api", alwaysAnswering(t, example))...)[0]
		if want, _ := json.Marshal(example); !sameJSON(t, want, got) {
			t.Errorf("%s: %v\n%s", section, got, want)
		}
		all[section][test.n] = nil
	}
	is("ketter jobs watch", 1, lineOf(t, "progress", printed(t, 0, "jobs", "watch", "12", "--api", streamingProgress(t))))
	for section, left := range all {
		for n, example := range left {
			if example != nil {
				t.Errorf("docs/cli-json.md, %s: no test compares example %d", section, n+1)
			}
		}
	}
}

func scannedAsJSON(t *testing.T) any {
	t.Helper()
	content, err := os.ReadFile(hostKeyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := newPortalsScanKeyCommand(&portalOptions{json: true}, func(context.Context, string, int) ([]string, error) {
		return []string{strings.TrimSpace(string(content))}, nil
	})
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"host"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return documentsIn(t, out.String())[0]
}

func first(text, _ string, _ int) string { return text }

func sameJSON(t *testing.T, want []byte, got any) bool {
	t.Helper()
	text, err := json.Marshal(got) // members in the order of their names, as in want
	return err == nil && string(text) == string(want)
}

func alwaysAnswering(t *testing.T, answer any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// streamingProgress is an API with a job 12 that has been under way for a while, and then succeeds.
func streamingProgress(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"id":12,"status":"success","mode":"copy","source_path":"/a","destination_path":"/b"}`))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: progress\ndata: {\"worker\":\"w\",\"phase\":\"copying\",\"bytes_done\":5,\"eta_seconds\":14.2,\"updated_at\":\"2026-05-04T12:00:06Z\"}\n\n",
			"event: end\ndata: {\"status\":\"success\"}\n\n")
	}))
	t.Cleanup(server.Close)
	return server.URL
}
