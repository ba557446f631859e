package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// planEnd is the exit status of a plan: that of the first problem.
func planEnd(p client.Plan) error {
	switch {
	case len(p.Problems) > 0:
		return &exitError{status: p.Problems[0].Code.ExitStatus()}
	case !p.OK:
		return &exitError{status: failure.Internal.ExitStatus()}
	}
	return nil
}

// printPlan tells a person of a plan; that of a transfer without a service has no queue, and nothing to estimate by. The last word
// is what nothing was: recorded, or changed.
func printPlan(out io.Writer, p client.Plan, word string) error {
	verb := map[transfer.Mode]string{transfer.Copy: "Would copy", transfer.Move: "Would move"}[p.Mode]
	fmt.Fprintf(out, "%s %s\n        to %s\n\n", verb, placeText(p.SourcePortal, p.SourcePath), placeText(p.DestinationPortal, p.FinalPath))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, printable(value)) }
	line("holds", holdsText(p))
	line("strategy", planStrategy(p))
	line("verify", planVerify(p))
	if p.Queue != "" {
		line("queue", p.Queue)
	}
	line("space", spaceText(p))
	if p.Queue != "" {
		line("takes", estimateText(p))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printProblems(out, p.Problems, word)
}

func holdsText(p client.Plan) string {
	if p.Strategy == nil {
		return "unknown: the source can't be counted"
	}
	text := fmt.Sprintf("%s, %s", countText(p.Files, "file"), bytesText(p.Bytes))
	if p.Files > 1 {
		text += fmt.Sprintf(", %s on average", bytesText(int64(p.AvgSizeBytes)))
	}
	return text
}

func planStrategy(p client.Plan) string {
	if p.Strategy == nil || p.Method == nil {
		return "unknown"
	}
	return fmt.Sprintf("%s, by %s: %s", *p.Strategy, *p.Method, p.Reason)
}

func planVerify(p client.Plan) string {
	if p.Method != nil && *p.Method == transfer.Rename {
		return "nothing to verify: it is renamed in place"
	}
	return string(p.Verify)
}

func spaceText(p client.Plan) string {
	free := "the destination doesn't say what is free"
	if p.FreeBytes != nil {
		free = bytesText(*p.FreeBytes) + " free"
	}
	if p.Strategy == nil {
		return free
	}
	return bytesText(p.NeededBytes) + " needed, " + free
}

func estimateText(p client.Plan) string {
	switch {
	case p.Strategy == nil:
		return "unknown"
	case p.EstimatedSeconds == nil:
		return "unknown: no job has gone this way yet"
	}
	return fmt.Sprintf("about %s, going by %s between the same portals", secondsText(p.EstimatedSeconds), countText(int64(p.EstimatedFromJobs), "job"))
}

func printProblems(out io.Writer, problems []client.JobError, word string) error {
	if len(problems) == 0 {
		_, err := fmt.Fprintf(out, "\nNothing is known that would fail. Nothing was %s.\n", word)
		return err
	}
	_, err := fmt.Fprintf(out, "\nIt would fail; nothing was %s:\n", word)
	for _, p := range problems {
		fmt.Fprintf(out, "  %s\n    code: %s\n", printable(p.Message), printable(string(p.Code)))
		if p.Hint != "" {
			_, err = fmt.Fprintf(out, "    hint: %s\n", printable(p.Hint))
		}
	}
	return err
}
