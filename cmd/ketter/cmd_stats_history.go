package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/httpapi/client"
)

func newStatsHistoryCommand(shared *jobsOptions) *cobra.Command {
	options := statsOptions{jobsOptions: shared}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the latest jobs, also as CSV",
		Long: `Lists the latest jobs as GET /stats/jobs-history tells them, a page at a time. ` + "`ketter jobs list`" + ` lists as many as there are.

` + apiExitStatuses(),
		Example: `  1. The last 100 moves, for a spreadsheet:
     ketter stats history --mode move --limit 100 --csv > moves.csv
  2. The next page:
     ketter stats history --mode move --limit 100 --before 702 --csv >> moves.csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.history(cmd) },
	}
	options.addFlags(cmd)
	cmd.Flags().IntVar(&options.limit, "limit", 20, "how many at most, 1 to 500")
	cmd.Flags().BoolVar(&options.csv, "csv", false, "print the API's table of comma-separated values")
	completeJobFlags(cmd, shared)
	return cmd
}

func (o *statsOptions) history(cmd *cobra.Command) error {
	if o.limit < 1 || o.limit > largestPage {
		return usageError(cmd, fmt.Errorf("--limit must be a number from 1 to %d, not %d", largestPage, o.limit))
	}
	given, err := o.params(time.Now())
	if err != nil {
		return usageError(cmd, err)
	}
	if o.csv && o.json {
		return usageError(cmd, errBoth)
	}
	filters := client.ListJobsHistoryParams(given)
	filters.Limit = &o.limit
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	if o.csv {
		more, err := asked.HistoryCSV(cmd.Context(), filters, csvTo(cmd.OutOrStdout()))
		if more {
			fmt.Fprintln(cmd.ErrOrStderr(), "There are more: --before and the last id.")
		}
		return err
	}
	page, err := asked.History(cmd.Context(), filters)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), page)
	}
	shown := newJobTable(cmd)
	if err := shown.page(page.Jobs); err != nil {
		return err
	}
	return shown.end(page.NextBefore)
}
