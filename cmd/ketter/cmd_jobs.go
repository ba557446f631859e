package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

func newJobsCommand() *cobra.Command {
	jobs := &cobra.Command{
		Use:   "jobs",
		Short: "Cancel jobs and try them again, on a running Ketter",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var api string
	jobs.PersistentFlags().StringVar(&api, "api", "", "the API to ask, as http://127.0.0.1:8000 (else the one that KETTER_LISTEN names)")
	jobs.AddCommand(newJobsCancelCommand(&api), newJobsRetryCommand(&api))
	return jobs
}

func newJobsCancelCommand(api *string) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a job that waits or runs",
		Long: `Cancels a job. One that waits is cancelled at once; one that runs stops within a second, what it has staged is swept, and
its source is whole. A job that is past the point of no return, complete and about to get its final name, finishes by itself
and can't be cancelled, and neither can one that has ended. Cancelling twice does no harm.

` + apiExitStatuses(),
		Example: `  1. Cancel job 12 of the Ketter on this host:
     ketter jobs cancel 12
  2. Of another one:
     ketter jobs cancel 12 --api http://ketter.studio.example:8000`,
		Args: oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd, *api, args[0], (*client.Client).Cancel, func(job client.Job) string {
				if job.Status == transfer.Cancelled {
					return fmt.Sprintf("Job %d is cancelled.", job.ID)
				}
				return fmt.Sprintf("Job %d is told to stop; it is cancelled within a second.", job.ID)
			})
		},
	}
}

func newJobsRetryCommand(api *string) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID",
		Short: "Queue a job that failed or was cancelled again",
		Long: `Queues a job again, under its id and with its history. Only one that has failed or was cancelled can be tried again.

` + apiExitStatuses(),
		Example: `  1. Try job 12 again, once its storage is mounted:
     ketter jobs retry 12
  2. On another host's Ketter:
     ketter jobs retry 12 --api http://ketter.studio.example:8000`,
		Args: oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd, *api, args[0], (*client.Client).Retry, func(job client.Job) string {
				return fmt.Sprintf("Job %d is %s again, in the queue %s.", job.ID, job.Status, job.Queue)
			})
		},
	}
}

// operate asks the API to do something with a job and says what became of it.
func operate(cmd *cobra.Command, api, id string,
	do func(*client.Client, context.Context, int64) (client.Job, error), say func(client.Job) string) error {
	asked, err := newClient(api)
	if err != nil {
		return err
	}
	number, err := jobID(id)
	if err != nil {
		return err
	}
	job, err := do(asked, cmd.Context(), number)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), printable(say(job)))
	return err
}

// newClient asks the API at an address, or without one the API that KETTER_LISTEN names.
func newClient(api string) (*client.Client, error) {
	c, err := loadConfig()
	if err != nil {
		return nil, err
	}
	if api == "" {
		api = ownAPI(c, c.Listen)
	}
	options, err := askingOptions(c, api)
	if err != nil {
		return nil, err
	}
	return client.New(api, options...)
}

func oneJob(cmd *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(cmd, args); err != nil {
		return usageError(cmd, err)
	}
	if _, err := jobID(args[0]); err != nil {
		return usageError(cmd, err)
	}
	return nil
}

func jobID(arg string) (int64, error) {
	id, err := strconv.ParseUint(arg, 10, 63)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is not a job's id, a whole number from 1", arg)
	}
	return int64(id), nil
}

// apiExitStatuses is exitStatuses for a command that asks the API about a job; the API has codes besides.
func apiExitStatuses() string {
	return exitStatuses(failure.Internal, failure.InvalidRequest, failure.JobState, failure.Cancelled) +
		"   1  api_unreachable, unauthorized, not_found, database_unavailable"
}
