package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/terminal"
)

func newJobsShowCommand(options *jobsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a job and all that has happened to it",
		Long:  "Shows a job: what was asked for, how far it is or what became of it, and each of its events.\n\n" + apiExitStatuses(),
		Example: `  1. What became of job 12?
     ketter jobs show 12
  2. Who ran it?
     ketter jobs show 12 --json | jq -r '.events[] | select(.kind == "started") | .payload.worker'`,
		Args:              oneJob,
		ValidArgsFunction: completeJobs(options),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[0])
			if err != nil {
				return err
			}
			asked, err := newClient(options.api)
			if err != nil {
				return err
			}
			job, err := asked.Detail(cmd.Context(), id)
			if err != nil {
				return err
			}
			if options.json {
				return printJSON(cmd.OutOrStdout(), job)
			}
			return printJob(cmd.OutOrStdout(), job)
		},
	}
}

func printJob(out io.Writer, job client.JobDetail) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, printable(value)) }
	line("job", fmt.Sprintf("%d, a %s", job.ID, job.Mode))
	status := printable(string(job.Status))
	if terminal.Colours(out) {
		status = statusColours[job.Status].Paint(status)
	}
	fmt.Fprintf(table, "status\t%s\n", status)
	fmt.Fprintf(table, "from\t%s\n", placeText(job.SourcePortal, job.SourcePath))
	fmt.Fprintf(table, "to\t%s\n", finalText(job.DestinationPortal, job.DestinationPath, job.SourcePath))
	line("strategy", strategyText(job))
	line("verify", string(job.Verify))
	line("queue", fmt.Sprintf("%s, priority %d", job.Queue, job.Priority))
	line("submitted", submittedText(job))
	line("run", runText(job))
	if job.FilesCopied > 0 {
		line("arrived", arrivedText(job))
	}
	if job.Progress != nil {
		line("progress", figuresOf(progressOf(*job.Progress)))
	}
	if job.Error != nil {
		line("error", job.Error.Message)
		line("code", string(job.Error.Code))
		line("hint", job.Error.Hint)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printEvents(out, job.Events)
}

func strategyText(job client.JobDetail) string {
	if job.Strategy == nil {
		return fmt.Sprintf("not decided, %s was asked for", job.RequestedStrategy)
	}
	text := string(*job.Strategy)
	if job.Method != nil {
		text += ", by " + string(*job.Method)
	}
	if job.RequestedStrategy.Decided() {
		text += ", as the job asked"
	}
	return text
}

func submittedText(job client.JobDetail) string {
	text := job.CreatedAt.Local().Format(time.DateTime)
	if job.SubmittedBy != nil {
		text += " by " + *job.SubmittedBy
	}
	return text
}

func runText(job client.JobDetail) string {
	waited := secondsText(&job.QueuedSeconds) + " in the queue"
	if job.DurationSeconds == nil {
		return waited + " so far; not begun"
	}
	text := fmt.Sprintf("%s, after %s", secondsText(job.DurationSeconds), waited)
	if job.Attempts > 1 {
		text += fmt.Sprintf("; attempt %d", job.Attempts)
	}
	if job.Takeovers > 0 {
		text += fmt.Sprintf("; its worker was lost %s", countText(int64(job.Takeovers), "time"))
	}
	return text
}

func arrivedText(job client.JobDetail) string {
	text := countText(job.FilesCopied, "file") + ", " + bytesText(job.BytesCopied)
	if rate := rateOf(job.BytesCopied, job.DurationSeconds); rate > 0 {
		text += fmt.Sprintf(" (%.1f MB/s)", rate)
	}
	return text
}

func printEvents(out io.Writer, events []client.Event) error {
	if len(events) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range events {
		message := printable(e.Message)
		if e.Actor != nil {
			message += " (" + printable(*e.Actor) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.CreatedAt.Local().Format(time.DateTime), printable(string(e.Kind)), message)
	}
	return table.Flush()
}
