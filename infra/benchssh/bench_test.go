package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ketter/ketter/infra/testdb"
)

// measured runs the benchmark in a folder of the test's own, and returns its Markdown.
func measured(t *testing.T, arguments ...string) (stdout string, err error) {
	t.Helper()
	var out, progress strings.Builder
	dir := t.TempDir()
	err = run(t.Context(), append([]string{"--dir", dir}, arguments...), &out, &progress)
	if err != nil {
		t.Log(progress.String())
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v was left behind", left)
	}
	return out.String(), err
}

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ketter")
	command := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, "github.com/ketter/ketter/cmd/ketter")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, said)
	}
	return path
}

// Whether it works, not how fast: each result is compared with the source.
func TestEveryWayBringsTheSameTree(t *testing.T) {
	t.Parallel()
	_, database := testdb.New(t)
	list := filepath.Join(t.TempDir(), "times.json")
	out, err := measured(t, "--ketter", build(t), "--database", database, "--quick", "--json", list)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ways {
		if !strings.Contains(out, "\n| "+cell(w.Title)+" | ") {
			t.Errorf("%s was not measured:\n%s", w.Name, out)
		}
	}
	var told struct {
		Tables []struct{ Ways []struct{ Seconds []float64 } }
	}
	content, err := os.ReadFile(list)
	if err == nil {
		err = json.Unmarshal(content, &told)
	}
	if err != nil || len(told.Tables) != len(usual(true)) || told.Tables[0].Ways[0].Seconds[0] <= 0 {
		t.Errorf("%s, %v", content, err)
	}
}

func TestTheOthersAreMeasuredWithoutKetter(t *testing.T) {
	t.Parallel()
	out, err := measured(t, "--task", "0ms:20x1KiB:2:tar,zip-first")
	if err != nil {
		t.Fatal(err)
	}
	if !measuredTar.MatchString(out) || !strings.Contains(out, "\n| Ketter ZIP_FIRST | not asked for |") {
		t.Errorf("the table is\n%s", out)
	}
}

var measuredTar = regexp.MustCompile(`\n\| tar \\\| ssh tar \| [0-9.]+ \| [0-9.]+ \|`)

func TestAWayThatFailsIsToldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	broken := way{Name: "broken", Title: "broken", Script: `mkdir "$2/from"`}
	failing := way{Name: "failing", Title: "failing", Script: "exit 3"}
	task, err := parseTask("0ms:3x1KiB:1:tar")
	if err != nil {
		t.Fatal(err)
	}
	task.Ways = append([]way{broken, failing}, task.Ways...)
	f, err := newField(t.Context(), options{dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.close() }()
	b := bench{field: f, progress: &strings.Builder{}}
	rows, err := b.measure(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(rows[0].Note, "differs") || rows[1].Note != "failed" || len(rows[2].Times) != 1 {
		t.Errorf("%+v", rows)
	}
	if (document{Tables: []table{{task, rows}}}).failures() == nil {
		t.Error("no failure is told")
	}
}

func TestTasksThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "20ms:2000x1KiB:5", "20:2000x1KiB:5:tar", "-1ms:1x1B:1:tar", "20ms:1x1B,2x2B:1:tar", "20ms:1x1B:0:tar",
		"20ms:1x1B:1:telepathy", "20ms:x:1:tar"} {
		if _, err := parseTask(text); err == nil {
			t.Errorf("%q is taken for a task", text)
		}
	}
	if len(usual(false)) == 0 || len(usual(true)) == 0 {
		t.Error("there is nothing to measure")
	}
}
