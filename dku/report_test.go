package dku

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ketter/ketter/infra/redact"
)

var began = time.Date(2026, 11, 28, 3, 45, 0, 0, time.UTC)

// reporting makes a report of findings.
func reporting(t *testing.T, findings ...Finding) Report {
	t.Helper()
	p := NewProbe(t.Context(), Target{Version: "v1", API: "http://127.0.0.1:1"})
	t.Cleanup(p.Close)
	return p.Report("lab 1", began, 1500*time.Millisecond, p.Checks(), findings)
}

func finding(id string, f Finding) Finding {
	f.ID, f.Group = id, strings.Split(id, ".")[0]
	return f
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("report.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(document)
}

func TestAReportFitsItsSchema(t *testing.T) {
	t.Parallel()
	text, err := reporting(t, finding("app.healthz", ok("well").with(1.5, "ms")),
		finding("redis.ping", fail("dead", "start it")), finding("redis.pubsub", notRun("redis.ping")), finding("storage.space", warn("few", "make room").with(7, "bytes").of("/mnt"))).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, schema(t), text); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestTheSchemaRefusesWhatAReaderCouldNotUse(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for name, f := range map[string]Finding{
		"a failure without advice": finding("redis.ping", Finding{Verdict: Fail, Message: "dead"}),
		"an unknown verdict":       finding("redis.ping", Finding{Verdict: "odd", Message: "dead", Advice: "x"}),
		"no message":               finding("redis.ping", Finding{Verdict: OK}),
		"an unknown group":         finding("moon.phase", ok("full")),
	} {
		text, err := reporting(t, f).JSON()
		if err != nil {
			t.Fatal(err)
		}
		if validate(t, s, text) == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func TestTheExitStatusIsTheWorstFindings(t *testing.T) {
	t.Parallel()
	good, odd, bad := finding("app.healthz", ok("a")), finding("app.readyz", warn("b", "c")), finding("redis.ping", fail("d", "e"))
	for status, findings := range [][]Finding{{good}, {good, odd}, {good, bad, odd}} {
		if r := reporting(t, findings...); r.ExitStatus != status {
			t.Errorf("%d instead of %d", r.ExitStatus, status)
		}
	}
}

func TestTheTextFitsItsColumnsAndBeginsWithTheWorst(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("/a very long name of a folder", 20)
	r := reporting(t, finding("app.healthz", ok("well")), finding("storage.space", warn("few", "make room").of(long)),
		finding("redis.ping", fail("dead "+strings.Repeat("ä", 300), "start it "+long)))
	text := r.Text()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); width(line) > Columns || line != strings.TrimRight(line, " ") {
			t.Errorf("%d columns: %q", width(line), line)
		}
	}
	failed, warned, well := strings.Index(text, "FAIL  redis.ping"), strings.Index(text, "WARN  storage.space"), strings.Index(text, "app.healthz")
	if !strings.HasPrefix(text, "KETTER DKU: FAIL    1 fail, 1 warn, 1 ok\n") || failed < 0 || failed > warned || warned > well {
		t.Error(text)
	}
	if strings.Count(strings.ReplaceAll(text, "\n", ""), "ä") != 600 { // wrapped, not cut off
		t.Error("something was left out: " + text)
	}
}

// Somebody under stress reads what to mend, and not what follows from it.
func TestWhatWasNotRunIsCountedAndNotAmongWhatToDo(t *testing.T) {
	t.Parallel()
	text := reporting(t, finding("redis.ping", fail("dead", "start it")), finding("redis.pubsub", notRun("redis.ping"))).Text()
	toDo, _, _ := strings.Cut(text, "ALL FINDINGS")
	if strings.Contains(toDo, "redis.pubsub") || !strings.Contains(toDo, "For want of these 1 more checks were not run.") ||
		!strings.Contains(text, "redis.pubsub") {
		t.Error(text)
	}
}

func TestAReportIsWrittenOnceAndNeverOverAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "docs", "reports")
	r := reporting(t, finding("app.healthz", ok("well")))
	for _, want := range []string{"dku-20261128T034500Z-lab-1", "dku-20261128T034500Z-lab-1-2"} {
		paths, err := r.Write(dir)
		if err != nil || !slices.Equal(paths, []string{filepath.Join(dir, want+".txt"), filepath.Join(dir, want+".json")}) {
			t.Fatalf("%v, %v", paths, err)
		}
		var read Report
		text, err := os.ReadFile(paths[1])
		if err != nil || json.Unmarshal(text, &read) != nil || read.Host != "lab 1" {
			t.Errorf("%v: %s", err, text)
		}
		if text, err := os.ReadFile(paths[0]); err != nil || string(text) != r.Text() {
			t.Errorf("%v: %s", err, text)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		table := Table{Out: &out, Colour: colour, Width: 60}
		table.Add([]Finding{finding("redis.ping", fail(strings.Repeat("long ", 50), "start it"))})
		line := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(out.String(), "")
		if strings.Contains(out.String(), "\x1b") != colour || width(strings.TrimSuffix(line, "\n")) > 60 {
			t.Errorf("colour %v: %q", colour, out.String())
		}
	}
}

// What an operator looks up by an id must be found in every version.
func TestTheIDsAreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/dku.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z_]+)` ").FindAllStringSubmatch(string(page), -1) {
		told = append(told, row[1])
	}
	slices.Sort(told)
	if !slices.Equal(told, IDs()) {
		t.Errorf("docs/dku.md tells of\n%v\nand there are\n%v", told, IDs())
	}
}

func TestAReportReplacesNothingAndFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	r := Report{Host: "lab", GeneratedAt: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o600), os.Symlink(victim, filepath.Join(dir, "dku-20260504T120000Z-lab.json")))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := r.Write(dir)
	if content, _ := os.ReadFile(victim); err != nil || string(content) != "mine" || !strings.Contains(paths[1], "lab-2.json") {
		t.Errorf("%q %v %v", content, paths, err)
	}
}

func TestWhatSomebodySaysAtGreatLengthIsCut(t *testing.T) {
	t.Parallel()
	c := Check{ID: "app.version"}
	said := c.complete([]Finding{ok(strings.Repeat("é", 1<<20))}, redact.Redactor{})
	if message := said[0].Message; len(message) > 2100 || !strings.HasSuffix(message, "é…") {
		t.Errorf("%d bytes, at the end %q", len(message), message[len(message)-10:])
	}
}
