package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// detachedStatus is what a shell gives a command that Ctrl-C has ended.
const detachedStatus = 130

func newJobsWatchCommand(options *jobsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "watch ID",
		Short: "Watch a job until it has ended",
		Long: `Tells how a job goes until it has ended, and ends with its exit status. On a terminal there is a bar; elsewhere a line for each of its
events, and one for how far it is now and then, on standard error. The last line, on standard output, says what became of it. Ctrl-C
ends the watching, never the job. When the API is away for less than five minutes the watching goes on afterwards.

` + jobExitStatuses(),
		Example: `  1. Watch job 12:
     ketter jobs watch 12
  2. Do something when it has arrived, and only then:
     ketter jobs watch 12 && mail -s 'A001 is in' editors@studio.example </dev/null
  3. For a program, one JSON object a line:
     ketter jobs watch 12 --json`,
		Args:              oneJob,
		ValidArgsFunction: completeJobs(options, transfer.Pending, transfer.Running),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[0])
			if err != nil {
				return err
			}
			asked, err := newClient(options.api)
			if err != nil {
				return err
			}
			job, err := asked.Job(cmd.Context(), id)
			if err != nil {
				return err
			}
			return options.watch(cmd, asked, job.ID, job.Queue)
		},
	}
}

// jobExitStatuses is apiExitStatuses for a command that ends as a job does.
func jobExitStatuses() string {
	return exitStatuses(failure.Codes()...) + apiCodes + "\n 130  Ctrl-C: the job goes on"
}

// watch follows a job to its end and says what became of it.
func (o *jobsOptions) watch(cmd *cobra.Command, asked *client.Client, id int64, queue string) error {
	t := &jobTeller{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), bar: liveBar{cmd.ErrOrStderr()}, id: id, queue: queue, api: apiFlag(cmd, asked), json: o.json}
	detail, err := t.follow(cmd.Context(), asked)
	if cmd.Context().Err() != nil {
		return t.detached()
	}
	if err != nil {
		return t.lost(err)
	}
	return t.finished(detail)
}

// apiFlag is what a next command needs to ask the same API, where that was named.
func apiFlag(cmd *cobra.Command, asked *client.Client) string {
	if !cmd.Flags().Changed("api") {
		return ""
	}
	return " --api " + asked.Address()
}

// follow returns the job once it has ended. One that was tried again meanwhile is followed on.
func (t *jobTeller) follow(ctx context.Context, asked *client.Client) (job client.JobDetail, err error) {
	for {
		if err := asked.Follow(ctx, t.id, t.seq, t.tell); err != nil {
			return job, err
		}
		err := persist(ctx, func(error) bool { return true }, func() error {
			job, err = asked.Detail(ctx, t.id)
			return err
		})
		if err != nil || job.Status.Final() {
			return job, err
		}
		if err := waitFor(ctx, time.Second); err != nil {
			return job, err
		}
	}
}

// detached says that only the watching has ended.
func (t *jobTeller) detached() error {
	t.bar.clear()
	fmt.Fprintf(t.err, "Detached; job %d goes on. `ketter jobs watch %d%s` watches it again.\n", t.id, t.id, t.api)
	return &exitError{status: detachedStatus}
}

// lost says so when the job can't be seen any more.
func (t *jobTeller) lost(err error) error {
	t.bar.clear()
	if !client.Passes(err) {
		return err
	}
	f := *failure.From(err)
	f.Hint = fmt.Sprintf("Job %d may go on all the same. Once the API answers, see it with `ketter jobs watch %d%s`.", t.id, t.id, t.api)
	return &f
}
