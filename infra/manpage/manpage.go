// Package manpage writes manual pages of a cobra command and those below it. Help texts keep their shape: they are sentences, lists and
// tables in plain text, which a converter of Markdown, such as cobra's own, would run together. Pages depend on the commands and
// the version alone, never on when or where they are made.
package manpage

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Write writes the page of each command that isn't hidden into dir, which is made, and returns how many there are.
func Write(dir string, root *cobra.Command, version string) (pages int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	root.InitDefaultCompletionCmd()
	return write(dir, root, version)
}

func write(dir string, cmd *cobra.Command, version string) (pages int, err error) {
	page := filepath.Join(dir, name(cmd)+".1")
	if err := os.WriteFile(page, []byte(Page(cmd, version)), 0o644); err != nil {
		return 0, err
	}
	for _, child := range cmd.Commands() {
		if !child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			continue
		}
		below, err := write(dir, child, version)
		if err != nil {
			return 0, err
		}
		pages += below
	}
	return pages + 1, nil
}

func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// Page is one command's page, as man(7) has it.
func Page(cmd *cobra.Command, version string) string {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s Ketter\n.ad l\n", quoted(strings.ToUpper(name(cmd))), quoted(cmd.Root().Name()+" "+version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escaped(name(cmd)), escaped(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n\\fB%s\\fR\n", escaped(cmd.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	description, statuses, found := strings.Cut(long, "EXIT STATUS\n")
	prose(&b, description)
	options(&b, "OPTIONS", cmd.NonInheritedFlags())
	options(&b, "COMMON OPTIONS", cmd.InheritedFlags())
	if found {
		b.WriteString(".SH EXIT STATUS\n")
		verbatim(&b, statuses)
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n")
		verbatim(&b, cmd.Example)
	}
	seeAlso(&b, cmd)
	return b.String()
}

// prose fills paragraphs, and leaves one with indented lines as it is.
func prose(b *strings.Builder, text string) {
	for n, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if n > 0 {
			b.WriteString(".PP\n")
		}
		if strings.Contains("\n"+paragraph, "\n ") || strings.Contains("\n"+paragraph, "\n\t") {
			verbatim(b, paragraph)
			continue
		}
		b.WriteString(escaped(paragraph) + "\n")
	}
}

func verbatim(b *strings.Builder, text string) {
	fmt.Fprintf(b, ".nf\n%s\n.fi\n", escaped(strings.Trim(text, "\n")))
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		head := "--" + f.Name
		if f.Shorthand != "" {
			head = "-" + f.Shorthand + ", " + head
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" {
			usage += fmt.Sprintf(" (%s unless given)", f.DefValue)
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR \\fI%s\\fR\n%s\n", escaped(head), escaped(value), escaped(usage))
	})
}

func seeAlso(b *strings.Builder, cmd *cobra.Command) {
	var others []string
	if cmd.HasParent() {
		others = append(others, name(cmd.Parent()))
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && !child.IsAdditionalHelpTopicCommand() {
			others = append(others, name(child))
		}
	}
	if len(others) == 0 {
		return
	}
	for n := range others {
		others[n] = `\fB` + escaped(others[n]) + `\fR(1)`
	}
	fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", strings.Join(others, ", "))
}

// control begins a line that roff would take for a request.
var control = regexp.MustCompile(`(?m)^([.'])`)

func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`).Replace(text)
	return control.ReplaceAllString(text, `\&$1`)
}

func quoted(text string) string { return `"` + strings.ReplaceAll(escaped(text), `"`, `\(dq`) + `"` }
