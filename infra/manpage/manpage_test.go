package manpage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/infra/manpage"
)

func command() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Move things", Run: func(*cobra.Command, []string) {}}
	child := &cobra.Command{
		Use: "move --to DIR", Short: "Move one", Run: func(*cobra.Command, []string) {},
		Long:    "Moves.\n.TH is no request here, and C:\\new no escape.\n\n  - a list\n  - stays one\n\nEXIT STATUS\n   0  success\n  20  it exists",
		Example: "  1. Here:\n     tool move --to .",
	}
	child.Flags().String("to", "", "the `folder` that receives it")
	child.Flags().Int("priority", 2, "1 goes first")
	hidden := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(child, hidden)
	return root
}

func TestAPageKeepsTheShapeOfTheHelp(t *testing.T) {
	t.Parallel()
	root := command()
	page := manpage.Page(root.Commands()[0], "v1.0.0")
	for _, want := range []string{
		".TH \"TOOL\\-MOVE\" 1 \"\" \"tool v1.0.0\" Ketter\n",
		".SH NAME\ntool\\-move \\- Move one\n",
		"Moves.\n\\&.TH is no request here, and C:\\enew no escape.\n.PP\n.nf\n  \\- a list\n  \\- stays one\n.fi\n",
		".TP\n\\fB\\-\\-to\\fR \\fIfolder\\fR\nthe folder that receives it\n",
		"1 goes first (2 unless given)\n",
		".SH EXIT STATUS\n.nf\n   0  success\n  20  it exists\n.fi\n",
		".SH EXAMPLES\n.nf\n  1. Here:\n     tool move \\-\\-to .\n.fi\n",
		".SH SEE ALSO\n\\fBtool\\fR(1)\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it has no %q:\n%s", want, page)
		}
	}
}

func TestEachCommandThatIsNotHiddenHasAPage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	pages, err := manpage.Write(dir, command(), "v1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != pages {
		t.Fatalf("%d pages, %d files (%v)", pages, len(entries), err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	if !there["tool.1"] || !there["tool-move.1"] || there["tool-secret.1"] {
		t.Errorf("%v", there)
	}
}
