package dku

import (
	"os"
	"regexp"
	"testing"
)

// TestEveryCheckHasItsTroubleshooting compares the sections of docs/troubleshooting.md with the checks. Those without a dot are failure codes.
func TestEveryCheckHasItsTroubleshooting(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]bool)
	for _, heading := range regexp.MustCompile("(?m)^### `([a-z_]+\\.[a-z_]+)`$").FindAllStringSubmatch(string(doc), -1) {
		sections[heading[1]] = true
	}
	for _, id := range IDs() {
		if !sections[id] {
			t.Errorf("docs/troubleshooting.md has no section ### `%s`", id)
		}
		delete(sections, id)
	}
	for id := range sections {
		t.Errorf("docs/troubleshooting.md has a section for %s, which is no check", id)
	}
}
