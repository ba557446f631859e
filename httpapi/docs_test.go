package httpapi

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
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

func TestDocumentedTimesOfAClientAreTheServers(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	l := standardLimits()
	if l.answer <= planDeadline+workDeadline {
		t.Errorf("within %s nobody is told that a plan of %s came to no end", l.answer, planDeadline)
	}
	for _, row := range []string{
		fmt.Sprintf("| Time to send a request | %.0f s, its header %.0f s |", l.request.Seconds(), l.header.Seconds()),
		fmt.Sprintf("| Time to receive an answer | %.0f min |", l.answer.Minutes()),
		fmt.Sprintf("| Plans | %d at a time |", mostPlans),
		fmt.Sprintf("| Time a plan takes | %.0f min |", planDeadline.Minutes()),
		fmt.Sprintf("| Idle connection | %.0f min |", l.idle.Minutes()),
		fmt.Sprintf("| Header | %d KiB |", maxHeader>>10),
		fmt.Sprintf("| Wrong tokens from an address | %d in a minute, then `too_many_attempts` |", mostWrong),
	} {
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/api.md lacks the row\n%s", row)
		}
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

// TestEveryCodeHasItsTroubleshooting compares the sections of docs/troubleshooting.md with the codes that anybody can get to see.
// Those with a dot are findings of package dku.
func TestEveryCodeHasItsTroubleshooting(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]bool)
	for _, heading := range regexp.MustCompile("(?m)^### `([a-z_]+)`$").FindAllStringSubmatch(string(doc), -1) {
		if sections[heading[1]] {
			t.Errorf("docs/troubleshooting.md has two sections for %s", heading[1])
		}
		sections[heading[1]] = true
	}
	for _, code := range slices.Concat(failure.Codes(), ownCodes(), []failure.Code{client.Unreachable}) {
		if !sections[string(code)] {
			t.Errorf("docs/troubleshooting.md has no section ### `%s`", code)
		}
		delete(sections, string(code))
	}
	for code := range sections {
		t.Errorf("docs/troubleshooting.md has a section for %s, which is no code", code)
	}
}
