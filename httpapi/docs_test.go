package httpapi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
)

// TestDocumentedCodesAreThoseOfTheTable compares the rows of docs/api.md that begin with "| `code` |" with the code.
func TestDocumentedCodesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(doc), "## Codes")
	documented := make(map[string]bool)
	for line := range strings.Lines(rows) {
		if strings.HasPrefix(line, "| `") {
			documented[strings.TrimSpace(line)] = true
		}
	}
	for _, code := range append(failure.Codes(), ownCodes()...) {
		status, title, _ := meaning(code)
		row := fmt.Sprintf("| `%s` | %d | %s |", code, status, title)
		if !documented[row] {
			t.Errorf("docs/api.md lacks the row\n%s", row)
		}
		delete(documented, row)
	}
	for row := range documented {
		t.Errorf("docs/api.md has a row that is not in the code:\n%s", row)
	}
}

func TestDocumentedRetriesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sentence, found := strings.Cut(string(doc), "`hint` says what to do.")
	if !found {
		t.Fatal("docs/api.md doesn't say which failures are tried again")
	}
	for _, code := range failure.Codes() {
		told := strings.Contains(sentence, fmt.Sprintf("`%s`", code))
		if retried := code.Class() == failure.Transient; told != retried {
			t.Errorf("%s: tried again %v, in docs/api.md %v", code, retried, told)
		}
	}
}
