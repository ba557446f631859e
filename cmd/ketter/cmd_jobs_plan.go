package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// plan says what would become of the order. A plan with a problem has the exit status of the first.
func (o *jobsCreateOptions) plan(cmd *cobra.Command, asked *client.Client, order client.Order) error {
	plan, err := asked.Plan(cmd.Context(), order)
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), plan)
	}
	switch {
	case err != nil:
		return err
	case len(plan.Problems) > 0:
		return &exitError{status: plan.Problems[0].Code.ExitStatus()}
	case !plan.OK:
		return &exitError{status: failure.Internal.ExitStatus()}
	}
	return nil
}

func printPlan(out io.Writer, p client.Plan) error {
	verb := map[transfer.Mode]string{transfer.Copy: "Would copy", transfer.Move: "Would move"}[p.Mode]
	fmt.Fprintf(out, "%s %s\n        to %s\n\n", verb, placeText(p.SourcePortal, p.SourcePath), placeText(p.DestinationPortal, p.FinalPath))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, printable(value)) }
	line("holds", fmt.Sprintf("%s, %s", countText(p.Files, "file"), bytesText(p.Bytes)))
	line("strategy", planStrategy(p))
	line("verify", string(p.Verify))
	line("queue", p.Queue)
	line("space", spaceText(p))
	line("takes", estimateText(p))
	if err := table.Flush(); err != nil {
		return err
	}
	return printProblems(out, p.Problems)
}

func planStrategy(p client.Plan) string {
	text := textOf(p.Strategy)
	if p.Method != nil {
		text += ", by " + string(*p.Method)
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

func spaceText(p client.Plan) string {
	free := "the destination doesn't say what is free"
	if p.FreeBytes != nil {
		free = bytesText(*p.FreeBytes) + " free"
	}
	return bytesText(p.NeededBytes) + " needed, " + free
}

func estimateText(p client.Plan) string {
	if p.EstimatedSeconds == nil {
		return "unknown: no job has gone this way yet"
	}
	return fmt.Sprintf("about %s, going by %s between the same portals", secondsText(p.EstimatedSeconds), countText(int64(p.EstimatedFromJobs), "job"))
}

func printProblems(out io.Writer, problems []client.JobError) error {
	if len(problems) == 0 {
		_, err := fmt.Fprintln(out, "\nNothing is known that would fail. Nothing was recorded.")
		return err
	}
	fmt.Fprintln(out, "\nIt would fail; nothing was recorded:")
	for _, p := range problems {
		fmt.Fprintf(out, "  %s\n", printable(p.Message))
		fmt.Fprintf(out, "    code: %s\n", printable(string(p.Code)))
		if p.Hint != "" {
			fmt.Fprintf(out, "    hint: %s\n", printable(p.Hint))
		}
	}
	return nil
}
