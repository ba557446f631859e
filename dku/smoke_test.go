package dku

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var errAltered = errors.New("altered")

// A comparison that finds nothing wrong with a wrong tree would make every smoke test pass.
func TestTheComparisonFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(folder string) error{
		"a byte":         func(f string) error { return os.WriteFile(filepath.Join(f, "take 01.wav"), []byte("RIFX"), 0o644) },
		"one missing":    func(f string) error { return os.Remove(filepath.Join(f, "empty.txt")) },
		"one too many":   func(f string) error { return os.WriteFile(filepath.Join(f, "new"), nil, 0o644) },
		"another name":   func(f string) error { return os.Rename(filepath.Join(f, "empty.txt"), filepath.Join(f, "Empty.txt")) },
		"nothing at all": os.RemoveAll,
	} {
		folder := filepath.Join(t.TempDir(), "tree")
		if err := errors.Join(makeTree(folder), sameTree(folder)); err != nil {
			t.Fatal(err)
		}
		if err := alter(folder); err != nil {
			t.Fatal(err)
		}
		if sameTree(folder) == nil {
			t.Errorf("%s is not found", name)
		}
	}
}
