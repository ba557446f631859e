package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/terminal"
)

var errBoth = errors.New("--csv and --json are both given")

type statsOptions struct {
	*jobsOptions
	jobFilters
	csv   bool
	limit int // of the history
}

func newStatsCommand() *cobra.Command {
	shared := &jobsOptions{}
	options := statsOptions{jobsOptions: shared}
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count jobs: how many, how large, how fast, and what failed",
		Long: `Counts jobs by strategy, mode and pair of portals. Durations and rates are those of jobs that succeeded: MEDIAN and P95 of how long they
took, MB/s as all bytes over all durations. The figures are the API's (GET /stats/summary).

` + apiExitStatuses(),
		Example: `  1. Of all time:
     ketter stats
  2. The week's moves to or from SRVTRF:
     ketter stats --since 7d --mode move --portal SRVTRF
  3. For a spreadsheet:
     ketter stats --since 2026-05-01 --csv > may.csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd) },
	}
	shared.register(cmd)
	options.addGroupFlags(cmd)
	cmd.Flags().BoolVar(&options.csv, "csv", false, "print the API's table of comma-separated values")
	completeJobFlags(cmd, shared)
	cmd.AddCommand(newStatsHistoryCommand(shared))
	return cmd
}

func (o *statsOptions) run(cmd *cobra.Command) error {
	filters, err := o.groupParams(time.Now())
	if err != nil {
		return usageError(cmd, err)
	}
	if o.csv && o.json {
		return usageError(cmd, errBoth)
	}
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	if o.csv {
		return asked.SummaryCSV(cmd.Context(), filters, csvTo(cmd.OutOrStdout()))
	}
	summary, err := asked.Summary(cmd.Context(), filters)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), summary)
	}
	return printSummary(cmd.OutOrStdout(), summary)
}

func printSummary(out io.Writer, s client.Summary) error {
	if len(s.Groups) == 0 {
		_, err := fmt.Fprintln(out, "No job fits.")
		return err
	}
	table := terminal.NewTable(out,
		terminal.Column{Title: "STRATEGY"}, terminal.Column{Title: "MODE"}, terminal.Column{Title: "FROM", Least: 6, Spare: 1},
		terminal.Column{Title: "TO", Least: 6, Spare: 1}, terminal.Column{Title: "JOBS", Right: true}, terminal.Column{Title: "OK", Right: true, Spare: 4},
		terminal.Column{Title: "FAILED", Right: true}, terminal.Column{Title: "CANCELLED", Right: true, Spare: 8},
		terminal.Column{Title: "OPEN", Right: true, Spare: 6}, terminal.Column{Title: "FILES", Right: true, Spare: 7},
		terminal.Column{Title: "SIZE", Right: true, Spare: 3}, terminal.Column{Title: "MEDIAN", Right: true}, terminal.Column{Title: "P95", Right: true, Spare: 5},
		terminal.Column{Title: "MB/s", Right: true}, terminal.Column{Title: "FILES/s", Right: true, Spare: 9},
		terminal.Column{Title: "FAILURES", Least: 20, Spare: 2})
	for _, g := range s.Groups {
		table.Row(groupRow(g)...)
	}
	return table.Flush()
}

func groupRow(g client.SummaryGroup) []terminal.Cell {
	count := func(n int64) terminal.Cell { return terminal.Cell{Text: strconv.FormatInt(n, 10)} }
	failed := count(g.Failed)
	if g.Failed > 0 {
		failed.Colour = statusColours[transfer.Failed]
	}
	return []terminal.Cell{
		{Text: printable(textOf(g.Strategy))}, {Text: printable(string(g.Mode))}, {Text: portalText(g.SourcePortal)}, {Text: portalText(g.DestinationPortal)},
		count(g.Jobs), count(g.Succeeded), failed, count(g.Cancelled), count(g.Unfinished), count(g.Files), {Text: bytesText(g.Bytes)},
		{Text: secondsText(g.DurationMedianSeconds)}, {Text: secondsText(g.DurationP95Seconds)},
		{Text: figureText(g.MBPerSecond)}, {Text: figureText(g.FilesPerSecond)}, {Text: failuresText(g.Failures)},
	}
}

// portalText is a portal's name; a side without one is a path of the workers'.
func portalText(name *string) string { return printable(textOf(name)) }

func figureText(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', 1, 64)
}

// failuresText has the most frequent first.
func failuresText(failures map[string]int) string {
	codes := slices.SortedFunc(maps.Keys(failures), func(a, b string) int {
		if failures[a] != failures[b] {
			return failures[b] - failures[a]
		}
		return strings.Compare(a, b)
	})
	for i, code := range codes {
		codes[i] = fmt.Sprintf("%s %d", printable(code), failures[code])
	}
	return strings.Join(codes, ", ")
}

// csvTo passes a table on as it is, but for a terminal, which would obey what names in it say.
func csvTo(out io.Writer) io.Writer {
	if terminal.Columns(out) > 0 {
		return printableWriter{out}
	}
	return out
}

type printableWriter struct{ io.Writer }

func (w printableWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, printableLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
