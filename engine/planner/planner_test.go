package planner

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/transfer"
)

func TestPolicyIsStrictOnBothSides(t *testing.T) {
	t.Parallel()
	const mib4 = 4 << 20
	cases := []struct {
		name         string
		folder       bool
		asked        transfer.Strategy
		files, bytes int64
		want         transfer.Strategy
	}{
		{"1000 files are not more than 1000", true, transfer.Auto, 1000, 1000, transfer.Direct},
		{"1001 files are", true, transfer.Auto, 1001, 1001, transfer.ZipFirst},
		{"an average of exactly 4 MiB is not less", true, transfer.Auto, 2000, 2000 * mib4, transfer.Direct},
		{"a byte less in all is less", true, transfer.Auto, 2000, 2000*mib4 - 1, transfer.ZipFirst},
		{"a byte more in all is not, whatever rounding says", true, transfer.Auto, 2000, 2000*mib4 + 1, transfer.Direct},
		{"empty files are small", true, transfer.Auto, 1001, 0, transfer.ZipFirst},
		{"an empty folder", true, transfer.Auto, 0, 0, transfer.Direct},
		{"a single file", false, transfer.Auto, 1, 1, transfer.Direct},
		{"forced to pack", true, transfer.ZipFirst, 1, math.MaxInt64, transfer.ZipFirst},
		{"forced to pack a file", false, transfer.ZipFirst, 1, 1, transfer.ZipFirst},
		{"forced not to", true, transfer.Direct, 5000, 5000, transfer.Direct},
		{"figures past 64 bits", true, transfer.Auto, math.MaxInt64, math.MaxInt64, transfer.ZipFirst},
	}
	for _, c := range cases {
		plan := Plan{Spec: transfer.Spec{Strategy: c.asked}, IsFolder: c.folder, Files: c.files, Bytes: c.bytes}
		plan.decide(DefaultPolicy())
		if plan.Strategy != c.want || plan.Forced != (c.asked != transfer.Auto) || !strings.HasSuffix(plan.Reason, ".") {
			t.Errorf("%s: %+v", c.name, plan)
		}
	}
}

func open(t *testing.T, dir string) *Source {
	t.Helper()
	folder, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	info, err := folder.Info()
	if err != nil {
		t.Fatal(err)
	}
	return &Source{Root: tree.Root{Folder: folder, Name: filepath.Base(dir), Path: dir, Info: info}}
}

func TestWhatCountsAsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		sub := filepath.Join(dir, fmt.Sprint(i), "sub")
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "file"), make([]byte, 10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	plan, err := DecideStrategy(t.Context(), open(t, dir), transfer.Spec{Strategy: transfer.Auto}, DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if plan.Files != 4 || plan.Symlinks != 1 || plan.Folders != 7 || plan.Bytes != 30 || plan.AvgSize != 7 || !plan.IsFolder {
		t.Errorf("plan is %+v", plan)
	}
}

func TestASourceThatHoldsItsDestinationIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	source := open(t, dir)
	source.Avoid = &open(t, filepath.Join(dir, "a/b")).Info
	_, err := DecideStrategy(t.Context(), source, transfer.Spec{}, DefaultPolicy())
	if err == nil || !strings.Contains(err.Error(), "destination_inside_source") {
		t.Errorf("error is %v", err)
	}
	source.Avoid = nil
	if _, err := DecideStrategy(t.Context(), source, transfer.Spec{}, DefaultPolicy()); err != nil {
		t.Error(err)
	}
}
