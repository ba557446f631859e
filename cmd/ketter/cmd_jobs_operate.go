package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

func newJobsCancelCommand(options *jobsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID...",
		Short: "Cancel jobs that wait or run",
		Long: `Cancels jobs. One that waits is cancelled at once; one that runs stops within a second, what it has staged is swept, and
its source is whole. A job that is past the point of no return, complete and about to get its final name, finishes by itself
and can't be cancelled, and neither can one that has ended. Cancelling twice does no harm.

` + operateExitStatuses(),
		Example: `  1. Cancel job 12 of the Ketter on this host:
     ketter jobs cancel 12
  2. Three, of another one:
     ketter jobs cancel 12 13 14 --api http://ketter.studio.example:8000`,
		Args:              someJobs,
		ValidArgsFunction: completeJobs(options, transfer.Pending, transfer.Running),
		RunE: func(cmd *cobra.Command, args []string) error {
			return options.operate(cmd, args, (*client.Client).Cancel, func(job client.Job) string {
				if job.Status == transfer.Cancelled {
					return fmt.Sprintf("Job %d is cancelled.", job.ID)
				}
				return fmt.Sprintf("Job %d is told to stop; it is cancelled within a second.", job.ID)
			})
		},
	}
}

func newJobsRetryCommand(options *jobsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID...",
		Short: "Queue jobs that failed or were cancelled again",
		Long: `Queues jobs again, under their ids and with their history. Only one that has failed or was cancelled can be tried again.

` + operateExitStatuses(),
		Example: `  1. Try job 12 again, once its storage is mounted:
     ketter jobs retry 12
  2. All that failed since yesterday because the storage was full:
     ketter jobs list --code destination_full --since 24h --all --json | jq '.jobs[].id' | xargs -r ketter jobs retry
  3. On another host's Ketter:
     ketter jobs retry 12 --api http://ketter.studio.example:8000`,
		Args:              someJobs,
		ValidArgsFunction: completeJobs(options, transfer.Failed, transfer.Cancelled),
		RunE: func(cmd *cobra.Command, args []string) error {
			return options.operate(cmd, args, (*client.Client).Retry, func(job client.Job) string {
				return fmt.Sprintf("Job %d is %s again, in the queue %s.", job.ID, job.Status, job.Queue)
			})
		},
	}
}

func operateExitStatuses() string {
	return "With several ids each is asked for, whatever becomes of the others; the exit status is that of the first failure.\n\n" +
		apiExitStatuses(failure.JobState, failure.Cancelled)
}

type operation func(*client.Client, context.Context, int64) (client.Job, error)

// operate asks the API to do something with each job and says what became of it.
func (o *jobsOptions) operate(cmd *cobra.Command, ids []string, do operation, say func(client.Job) string) error {
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	status := 0
	for _, id := range ids {
		number, err := jobID(id)
		if err != nil {
			return err
		}
		job, err := do(asked, cmd.Context(), number)
		if cmd.Context().Err() != nil {
			return err
		}
		if failed := o.tell(cmd, number, job, err, say); status == 0 {
			status = failed
		}
	}
	if status != 0 {
		return &exitError{status: status}
	}
	return nil
}

// tell says what became of one, and returns its exit status.
func (o *jobsOptions) tell(cmd *cobra.Command, id int64, job client.Job, err error, say func(client.Job) string) (status int) {
	out := cmd.OutOrStdout()
	switch {
	case err != nil && o.json:
		f := failure.From(err)
		line := errorFields(f)
		line["job_id"] = id
		_ = jsonLine(out, "error", line) // whoever went away has the exit status
		return f.Code.ExitStatus()
	case err != nil:
		return report(cmd.ErrOrStderr(), err)
	case o.json:
		_ = printLine(out, job)
	default:
		fmt.Fprintln(out, printable(say(job)))
	}
	return 0
}
