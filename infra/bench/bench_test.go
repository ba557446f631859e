package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/sample"
)

// small measures a tiny set in a folder of the test's own.
func small(t *testing.T, arguments ...string) (stdout string, err error) {
	t.Helper()
	var out, progress strings.Builder
	dir := t.TempDir()
	err = run(t.Context(), append([]string{"--places", "memory", "--memory-dir", dir, "--sets", "1x64KiB+20x1KiB",
		"--move-sets", "20x1KiB", "--rounds", "2"}, arguments...), &out, &progress)
	if t.Failed() || err != nil {
		t.Log(progress.String())
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v was left behind", left)
	}
	return out.String(), err
}

// fakeKetter is a script in place of the binary; its arguments are `transfer --from $3 --to $5`.
func fakeKetter(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ketter")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	copies = `[ "$1" != transfer ] || cp -Rp "$3" "$5/"`
	moves  = `[ "$1" != transfer ] || mv "$3" "$5/"`
)

func TestEveryWayHasARowWithItsRatios(t *testing.T) {
	t.Parallel()
	out, err := small(t, "--ways", "cp,tar,cp-sync,direct-size", "--ketter", fakeKetter(t, copies))
	if err != nil {
		t.Fatal(err)
	}
	for _, begin := range []string{"| cp -a | 0.", "| tar \\| tar | 0.", "| cp -a, sync | 0.", "| DIRECT, size | 0."} {
		if !strings.Contains(out, "\n"+begin) {
			t.Errorf("no row begins with %q:\n%s", begin, out)
		}
	}
	if !strings.Contains(out, "of cp -a, sync |\n") {
		t.Errorf("Ketter is not compared with the same work:\n%s", out)
	}
}

func TestAMoveIsGivenItsSourceAgainInEachRound(t *testing.T) {
	t.Parallel()
	out, err := small(t, "--ways", "mv,move", "--ketter", fakeKetter(t, moves))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "\n| Ketter, move | 0.") {
		t.Errorf("no row of the move:\n%s", out)
	}
}

func TestAResultThatDiffersFromItsSourceIsAFailureNotATime(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]string{
		"a byte altered": `f=$5/source/part_1/session_001/take_000001.wav; printf X | dd of="$f" conv=notrunc 2>/dev/null; touch -r "$3/part_1/session_001/take_000001.wav" "$f"`,
		"a file missing": `rm "$5/source/part_2/session_001/take_000007.wav"`,
		"another mode":   `chmod 600 "$5/source/part_1/session_001/take_000001.wav"`,
		"another time":   `touch "$5/source/part_1/session_001/take_000001.wav"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := small(t, "--ways", "cp,direct-none", "--ketter", fakeKetter(t, copies+"\n"+`[ "$1" = transfer ] || exit 0`+"\n"+lie))
			if err == nil || !strings.Contains(err.Error(), "direct-none") {
				t.Errorf("the error is %v", err)
			}
			if !strings.Contains(out, "\n| DIRECT, none | failed: its result differs from the source |") {
				t.Errorf("no row tells:\n%s", out)
			}
		})
	}
}

func TestAWayThatFailsIsToldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	out, err := small(t, "--ways", "direct-none,cp", "--ketter", fakeKetter(t, "exit 3"))
	if err == nil {
		t.Error("no error")
	}
	if !strings.Contains(out, "\n| DIRECT, none | failed: exit status 3 |") || !strings.Contains(out, "\n| cp -a | 0.") {
		t.Errorf("the table is\n%s", out)
	}
}

func TestAToolThatIsMissingIsToldInItsRow(t *testing.T) {
	t.Parallel()
	b := &bench{lookPath: func(string) (string, error) { return "", exec.ErrNotFound }}
	if got := b.refusal(way{tool: "rclone"}, &place{}); got != "not installed" {
		t.Errorf("it says %q", got)
	}
	r := row{way: way{title: "rclone copy"}, note: "not installed"}
	var out strings.Builder
	table{rows: []row{r}}.markdown(&out)
	if !strings.Contains(out.String(), "| rclone copy | not installed |") {
		t.Errorf("the table is\n%s", out.String())
	}
}

func TestASetThatDoesNotFitIsRefusedBeforeAnythingIsMeasured(t *testing.T) {
	t.Parallel()
	_, err := small(t, "--ways", "cp", "--sets", "1000x1000GiB") // 1 PB is what no test machine has
	if err == nil || !strings.Contains(err.Error(), "needs") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnInterruptEndsTheWayThatRuns(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	ketter := fakeKetter(t, `[ "$1" != transfer ] || { : >"`+started+`"; sleep 60; }`)
	dir := t.TempDir()
	ended := make(chan error)
	go func() {
		ended <- run(ctx, []string{"--places", "memory", "--memory-dir", dir, "--sets", "1x1B", "--ways", "direct-none", "--ketter", ketter},
			&strings.Builder{}, &strings.Builder{})
	}()
	for _, err := os.Stat(started); err != nil; _, err = os.Stat(started) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v was left behind", left)
	}
}

func TestSetsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	sets, err := sample.Parse("2000x1KiB,1x2GiB+2000x4KiB")
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != 2 || sets[0].Bytes() != 2000<<10 || sets[1].Files() != 2001 || sets[1].Bytes() != 2<<30+2000*4<<10 {
		t.Errorf("they are %v", sets)
	}
	for _, wrong := range []string{"x1KiB", "0x1KiB", "2000x1", "2000x1KB", "1x1KiB,", "1x1KiB+", "1000000x9000GiB"} {
		if _, err := sample.Parse(wrong); err == nil {
			t.Errorf("%q is taken for a set", wrong)
		}
	}
}

func TestTheMedianOfAnEvenNumberIsBetweenTheMiddleTwo(t *testing.T) {
	t.Parallel()
	for want, times := range map[time.Duration][]time.Duration{2: {3, 1, 2}, 3: {9, 4, 1, 2}, 5: {5}} {
		if got := (row{times: times}).median(); got != want {
			t.Errorf("of %v it is %v, not %v", times, got, want)
		}
	}
}

func TestQuickLeavesWhatIsGiven(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--quick", "--sets", "1x1B"}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	if o.sets != "1x1B" || o.moveSets != quick["move-sets"] {
		t.Errorf("sets are %q and %q", o.sets, o.moveSets)
	}
}
