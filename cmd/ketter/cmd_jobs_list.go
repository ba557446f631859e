package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/terminal"
)

const (
	largestPage = 500 // what the API gives at once
	leastPath   = 15  // cells in which a path says something yet
)

type jobsListOptions struct {
	*jobsOptions
	jobFilters
	limit int
	all   bool
}

func newJobsListCommand(shared *jobsOptions) *cobra.Command {
	options := jobsListOptions{jobsOptions: shared}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, newest first",
		Long: `Lists jobs, newest first; filters add up. On a terminal the table fits its width: long paths lose their middle, and columns that don't
fit are left out. Elsewhere nothing is left out. ` + "`ketter jobs show ID`" + ` tells all about one.

` + apiExitStatuses(),
		Example: `  1. The latest:
     ketter jobs list
  2. What is under way?
     ketter jobs list --status running
  3. What has failed since yesterday, and why?
     ketter jobs list --status failed --since 24h
  4. All moves to or from SRVTRF in May, for a program:
     ketter jobs list --mode move --portal SRVTRF --since 2026-05-01 --until 2026-06-01 --all --json | jq '.jobs[].id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd) },
	}
	options.addFlags(cmd)
	cmd.Flags().IntVar(&options.limit, "limit", 50, "how many at most")
	cmd.Flags().BoolVar(&options.all, "all", false, "all there are")
	completeJobFlags(cmd, shared)
	return cmd
}

func (o *jobsListOptions) run(cmd *cobra.Command) error {
	if o.limit < 1 {
		return usageError(cmd, fmt.Errorf("--limit must be a number from 1, not %d", o.limit))
	}
	filters, err := o.params(time.Now())
	if err != nil {
		return usageError(cmd, err)
	}
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	shown := newJobTable(cmd)
	next, err := o.pages(cmd, asked, filters, func(page client.JobPage) error {
		if o.json {
			return printJSON(cmd.OutOrStdout(), page)
		}
		return shown.page(page.Jobs)
	})
	if err != nil || o.json {
		return err
	}
	return shown.end(next)
}

// pages asks for one page after another, as many jobs as are wanted, and returns where those that are left begin.
func (o *jobsListOptions) pages(cmd *cobra.Command, asked *client.Client, filters client.ListJobsParams, each func(client.JobPage) error) (*int64, error) {
	for wanted, last := o.limit, int64(math.MaxInt64); ; {
		size := min(wanted, largestPage)
		if o.all {
			size = largestPage
		}
		filters.Limit = &size
		page, err := asked.Jobs(cmd.Context(), filters)
		if err != nil {
			return nil, err
		}
		if page.NextBefore != nil && *page.NextBefore >= last {
			return nil, failure.New(client.Unreachable, "", asked.Address()+" answers with the same page again and again")
		}
		if err := each(page); err != nil {
			return nil, err
		}
		wanted -= len(page.Jobs)
		if page.NextBefore == nil || len(page.Jobs) == 0 || !o.all && wanted <= 0 {
			return page.NextBefore, nil
		}
		last = *page.NextBefore
		filters.Before = &last
	}
}

// jobTable shows jobs, page by page.
type jobTable struct {
	cmd   *cobra.Command
	table *terminal.Table
	any   bool
	now   time.Time
}

func newJobTable(cmd *cobra.Command) *jobTable {
	return &jobTable{cmd: cmd, now: time.Now(), table: terminal.NewTable(cmd.OutOrStdout(),
		terminal.Column{Title: "ID", Right: true}, terminal.Column{Title: "STATUS"}, terminal.Column{Title: "ERROR", Least: 18, Spare: 1},
		terminal.Column{Title: "MODE", Spare: 4}, terminal.Column{Title: "STRATEGY", Spare: 6}, terminal.Column{Title: "SUBMITTED", Spare: 2},
		terminal.Column{Title: "FILES", Right: true, Spare: 7}, terminal.Column{Title: "SIZE", Right: true, Spare: 3},
		terminal.Column{Title: "TOOK", Right: true, Spare: 5}, terminal.Column{Title: "FROM", Least: leastPath}, terminal.Column{Title: "TO", Least: leastPath})}
}

func (t *jobTable) page(jobs []client.Job) error {
	for _, job := range jobs {
		t.any = true
		t.table.Row(t.row(job)...)
	}
	if !t.any {
		return nil
	}
	return t.table.Flush()
}

func (t *jobTable) row(job client.Job) []terminal.Cell {
	var code, files, size string
	if job.Error != nil {
		code = printable(string(job.Error.Code))
	}
	if job.FilesCopied > 0 {
		files, size = strconv.FormatInt(job.FilesCopied, 10), bytesText(job.BytesCopied)
	}
	colour := statusColours[job.Status]
	return []terminal.Cell{
		{Text: strconv.FormatInt(job.ID, 10)}, {Text: printable(string(job.Status)), Colour: colour}, {Text: code, Colour: colour},
		{Text: printable(string(job.Mode))}, {Text: printable(textOf(job.Strategy))}, {Text: whenText(job.CreatedAt, t.now)},
		{Text: files}, {Text: size}, {Text: secondsText(job.DurationSeconds)},
		{Text: placeText(job.SourcePortal, job.SourcePath)}, {Text: placeText(job.DestinationPortal, job.DestinationPath)},
	}
}

// end says that there are none, or how to see more.
func (t *jobTable) end(next *int64) error {
	switch {
	case !t.any:
		fmt.Fprintln(t.cmd.OutOrStdout(), "No job fits.")
	case next != nil:
		fmt.Fprintf(t.cmd.ErrOrStderr(), "There are more: --before %d, or --all.\n", *next)
	}
	return nil
}
