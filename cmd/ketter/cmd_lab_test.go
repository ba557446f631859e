package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/lab"
	"github.com/ketter/ketter/infra/testdb"
)

// volumes is a running Ketter with two folders that may be used.
func volumes(t *testing.T) (s site, in, out string) {
	t.Helper()
	_, dbURL := testdb.New(t)
	s = setup(t, dbURL, "redis://"+miniredis.RunT(t).Addr())
	in, out = filepath.Join(s.root, "in"), filepath.Join(s.root, "out")
	for _, folder := range []string{in, out} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s, in, out
}

// empty fails the test if the labs have left anything.
func empty(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v (%v)", folder, left, err)
		}
	}
}

// tiny are sizes that prove everything and measure nothing.
var tiny = []string{"--small-files", "110", "--small-size", "16B", "--big", "64KiB", "--mix-big", "64KiB", "--sweep", "2,3x16B,1MiB", "--sweep-most", "1MiB",
	"--rounds", "1", "--keep-caches"}

func TestTheLabsRunFromStartToReportAndLeaveNothing(t *testing.T) {
	t.Parallel()
	s, in, out := volumes(t)
	reports := filepath.Join(t.TempDir(), "labs")
	said, told, status := ketter(t, append([]string{"lab", "run", "--api", s.url, "--source-root", in, "--destination-root", out,
		"--report-dir", reports, "--note", "A test."}, tiny...)...)
	if status != 0 || !strings.Contains(said, "KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES=") || !strings.Contains(told, "Removed: ") {
		t.Fatalf("status %d\n%s%s", status, said, told)
	}
	empty(t, in, out)
	written, err := filepath.Glob(filepath.Join(reports, "*"))
	if err != nil || len(written) != 2 {
		t.Fatalf("%v, %v", written, err)
	}
	var report lab.Report
	content, err := os.ReadFile(written[0]) // .json comes before .md
	if err == nil {
		err = json.Unmarshal(content, &report)
	}
	if err != nil || len(report.Cells) != 3+2 || len(report.Verified) != 3 || report.Recommendation == nil {
		t.Fatalf("%v\n%s", err, content)
	}
	passed := map[string]bool{}
	for _, e := range report.Expectations {
		if passed[e.Lab] = true; e.Verdict == lab.Failed {
			t.Errorf("%+v", e)
		}
	}
	if len(passed) != len(lab.Names()) {
		t.Errorf("of the labs only %v were run", passed)
	}
	page, err := os.ReadFile(written[1])
	for _, want := range []string{"**A test.**", "\n### 110 × 16 B\n", "| copy, ZIP_FIRST | archive | ", "110 × 16 B: a copy AUTO under 100 files and 4 MiB is ZIP_FIRST | passed |",
		"one file of 64 KiB: a move AUTO under 100 files and 4 MiB is DIRECT | passed |", "| 3 × 1 MiB | not run | it is more than 1 MiB"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%q is missing (%v) in\n%s", want, err, page)
		}
	}
	if list, _, _ := ketter(t, "portals", "list", "--api", s.url); !strings.Contains(list, "no portal yet") {
		t.Errorf("a portal is left:\n%s", list)
	}
}

func TestCalibrateStoresInThePortalAndMeasuresAutoUnderIt(t *testing.T) {
	t.Parallel()
	s, in, out := volumes(t)
	for name, root := range map[string]string{"NEXIS": in, "QUANTUM": out} {
		if _, told, status := ketter(t, "portals", "add", name, "--api", s.url, "--kind", "local", "--root", root, "--max-connections", "3"); status != 0 {
			t.Fatal(told)
		}
	}
	said, told, status := ketter(t, append([]string{"calibrate", "--api", s.url, "--source", "NEXIS", "--destination", "QUANTUM:/", "--store"}, tiny...)...)
	if status != 0 || !strings.Contains(said, "Stored in portal QUANTUM.") || strings.Count(said, "times as long as the better strategy (as") == 0 &&
		strings.Count(said, "AUTO is") != 3 {
		t.Fatalf("status %d\n%s%s", status, said, told)
	}
	empty(t, in, out)
	shown, _, _ := ketter(t, "portals", "show", "QUANTUM", "--json", "--api", s.url)
	var portal client.Portal
	if err := json.Unmarshal([]byte(shown), &portal); err != nil || portal.ZipThresholdFiles == nil || portal.ZipThresholdAvgSizeBytes == nil || portal.MaxConnections != 3 {
		t.Fatalf("%v\n%s", err, shown)
	}
	if lines := fmt.Sprintf("\nKETTER_ZIP_THRESHOLD_FILES=%d\nKETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES=%d\n", *portal.ZipThresholdFiles,
		*portal.ZipThresholdAvgSizeBytes); !strings.Contains(said, lines) {
		t.Errorf("stored is not what was recommended: %s\n%s", lines, said)
	}
}

// A portal on another host is one whose folder isn't seen here, wherever it is.
func TestWhatWasSentToWhereNobodySeesItIsMovedBack(t *testing.T) {
	t.Parallel()
	s, in, out := volumes(t)
	asked, err := client.New(s.url)
	if err == nil {
		_, err = asked.AddPortal(t.Context(), client.PortalFields{"name": "FAR", "kind": "local", "root_path": out})
	}
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	report, err := lab.Calibrate(t.Context(), asked, lab.Options{Source: lab.Side{Path: in, Here: in}, Destination: lab.Side{Portal: "FAR", Path: "/"},
		SmallFiles: 3, SmallSize: 10, Big: 1 << 10, MixBig: 1 << 10, Rounds: 1, KeepCaches: true, JobTimeout: time.Minute, Progress: &said}, "FAR")
	if err != nil || report.Failures() > 0 || len(report.Cells) != 3 || len(report.Verified) != 3 {
		t.Errorf("%v: %+v\n%s", err, report, said.String())
	}
	empty(t, in, out)
}

func TestLabsRefuseWhatTheyCantDoBeforeTheyMakeAnything(t *testing.T) {
	t.Parallel()
	s, in, out := volumes(t)
	elsewhere := t.TempDir()
	for _, test := range []struct {
		code failure.Code
		args []string
	}{
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in}},
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in, "--destination-root", out, "--only", "small,bogus"}},
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in, "--destination-root", out, "--big", "5GB"}},
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in, "--destination-root", out, "--sweep", "50"}},
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in, "--destination-root", out, "--rounds", "0"}},
		{failure.InvalidRequest, []string{"lab", "run", "--source-root", in + "/gone", "--destination-root", out}},
		{failure.DestinationFull, []string{"lab", "run", "--source-root", in, "--destination-root", out, "--big", "900000GiB"}},
		{failure.PathNotAllowed, []string{"lab", "run", "--source-root", elsewhere, "--destination-root", out, "--quick"}},
		{failure.InvalidRequest, []string{"calibrate", "--source", in, "--destination", out, "--store"}},
		{failure.PortalNotFound, []string{"calibrate", "--source", in, "--destination", "GONE"}},
		{failure.InvalidRequest, []string{"calibrate", "--source", in, "--destination", "GONE", "--store", "--quick"}},
	} {
		_, told, status := ketter(t, append(test.args, "--api", s.url)...)
		if status != test.code.ExitStatus() || !strings.Contains(told, "hint: ") {
			t.Errorf("%v: status %d\n%s", test.args, status, told)
		}
	}
	empty(t, in, out, elsewhere)
}
