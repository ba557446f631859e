package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

// planTransfer says what a transfer would do. A plan with a problem has the exit status of the first.
func planTransfer(cmd *cobra.Command, e *engine.Engine, spec transfer.Spec, asJSON bool) error {
	outlook, err := e.Outlook(cmd.Context(), spec)
	if err != nil {
		return newTeller(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON).failed(failure.From(err))
	}
	plan := transferPlan{newPlan(spec, outlook)}
	tell := plan.print
	if asJSON {
		tell = plan.printJSON
	}
	if err := tell(cmd.OutOrStdout()); err != nil {
		return err
	}
	if len(plan.Problems) > 0 {
		return &exitError{status: plan.Problems[0].Code.ExitStatus()}
	}
	return nil
}

// transferPlan is the plan of a transfer without a service.
type transferPlan struct{ httpapi.Plan }

// printJSON prints the API's plan, without a queue, for there is none.
func (p transferPlan) printJSON(out io.Writer) error {
	return json.NewEncoder(out).Encode(struct {
		MessageType string `json:"message_type"`
		httpapi.Plan
		Queue string `json:"queue,omitempty"`
	}{MessageType: "plan", Plan: p.Plan})
}

func (p transferPlan) print(out io.Writer) error {
	verb := map[transfer.Mode]string{transfer.Copy: "Would copy", transfer.Move: "Would move"}[p.Mode]
	fmt.Fprintf(out, "%s %s\n        to %s\n\n", verb, printable(p.SourcePath), printable(p.FinalPath))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{{"holds", p.holds()}, {"strategy", p.strategy()}, {"verify", p.verify()}, {"space", p.space()}} {
		fmt.Fprintf(table, "%s\t%s\n", line[0], printable(line[1]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return p.printProblems(out)
}

func (p transferPlan) holds() string {
	if p.Strategy == nil {
		return "unknown: the source can't be counted"
	}
	text := fmt.Sprintf("%d files, %s", p.Files, bytesText(p.Bytes))
	if p.Files > 0 {
		text += fmt.Sprintf(", %s on average", bytesText(int64(p.AvgSizeBytes)))
	}
	return text
}

func (p transferPlan) strategy() string {
	if p.Strategy == nil || p.Method == nil {
		return "unknown"
	}
	return fmt.Sprintf("%s, by %s: %s", *p.Strategy, *p.Method, p.Reason)
}

func (p transferPlan) verify() string {
	if p.Method != nil && *p.Method == transfer.Rename {
		return "nothing to verify: it is renamed in place"
	}
	return string(p.Verify)
}

func (p transferPlan) space() string {
	free := "the destination doesn't say what is free"
	if p.FreeBytes != nil {
		free = bytesText(*p.FreeBytes) + " free"
	}
	if p.Strategy == nil {
		return free
	}
	return bytesText(p.NeededBytes) + " needed, " + free
}

func (p transferPlan) printProblems(out io.Writer) error {
	if len(p.Problems) == 0 {
		_, err := fmt.Fprintln(out, "\nNothing is known that would fail. Nothing was changed.")
		return err
	}
	fmt.Fprintln(out, "\nIt would fail; nothing was changed:")
	for _, problem := range p.Problems {
		_, err := fmt.Fprintf(out, "  %s\n    code: %s\n    hint: %s\n", printable(problem.Message), problem.Code, printable(problem.Hint))
		if err != nil {
			return err
		}
	}
	return nil
}
