package sample

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestEachSumSeesWhatItIsFor(t *testing.T) {
	t.Parallel()
	type sums struct{ digest, contents, outline bool } // whether each changes
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		change func(file string) error
		want   sums
	}{
		"nothing": {func(string) error { return nil }, sums{}},
		"mode":    {func(file string) error { return os.Chmod(file, 0o600) }, sums{true, false, true}},
		"time":    {func(file string) error { return os.Chtimes(file, day, day.Add(time.Second)) }, sums{true, false, true}},
		"contents": {func(file string) error {
			return errors.Join(os.WriteFile(file, []byte("0123456789"), 0o644), os.Chtimes(file, day, day))
		}, sums{true, true, false}},
		"name": {func(file string) error { return os.Rename(file, file+"x") }, sums{true, true, true}},
		"more": {func(file string) error { return os.WriteFile(file+"x", nil, 0o644) }, sums{true, true, true}},
		"link": {func(file string) error { return os.Symlink(file, file+"x") }, sums{true, true, true}},
	} {
		dir := t.TempDir()
		if err := Of(2, 10).Make(dir); err != nil {
			t.Fatal(err)
		}
		before, err := allSums(dir)
		if err == nil {
			err = test.change(filepath.Join(dir, "part_1", "session_001", "take_000001.wav"))
		}
		after, err2 := allSums(dir)
		if got := (sums{after[0] != before[0], after[1] != before[1], after[2] != before[2]}); err != nil || err2 != nil || got != test.want {
			t.Errorf("%s: %+v, not %+v (%v, %v)", name, got, test.want, err, err2)
		}
	}
}

func allSums(dir string) (sums [3]uint64, err error) {
	var errs [3]error
	for i, sum := range []func(string) (uint64, error){Digest, Contents, Outline} {
		sums[i], errs[i] = sum(dir)
	}
	return sums, errors.Join(errs[:]...)
}

func TestSizesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0B": 0, "17B": 17, "1KiB": 1 << 10, "5GiB": 5 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "5GB", "-1B", "1.5GiB", "9999999999GiB", "1 KiB", "01KiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestMakingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Of(1, 1<<40).MakeUntil(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
