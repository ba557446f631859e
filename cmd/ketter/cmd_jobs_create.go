package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

type jobsCreateOptions struct {
	*jobsOptions
	from, to, mode, strategy, verify, queue, key string
	priority                                     int
	wait, dryRun                                 bool
}

func newJobsCreateCommand(shared *jobsOptions) *cobra.Command {
	options := jobsCreateOptions{jobsOptions: shared}
	cmd := &cobra.Command{
		Use:   "create --from DIR|PORTAL:PATH --to DIR|PORTAL:PATH --mode copy|move",
		Short: "Submit a job: copy or move a file or folder to a folder",
		Long: `Has a worker copy or move what --from names into the folder that --to names, where it arrives under its own name. A side that begins
with / or a dot is a path as the worker's host sees it; any other is PORTAL:PATH, a path inside a portal (` + "`ketter portals list`" + `).

Without --wait it says under which number the job is queued, and ends. With --wait it watches, as ` + "`ketter jobs watch`" + ` does, and its exit
status is that of the job. Ctrl-C ends the watching, never the job. When the API's answer is lost the same request is sent again under
the same key, which makes one job and not two; with an --idempotency-key of your own you may type the command again, too.

With --dry-run nothing is recorded: it says what would be done, and what would fail. Its exit status is that of the first problem.

` + jobExitStatuses(),
		Example: `  1. Copy a session, and see it arrive:
     ketter jobs create --from /mnt/nexis/ep101 --to /mnt/quantum/backup --mode copy --wait
  2. Move a camera card to another host, before all that waits:
     ketter jobs create --from /mnt/card/A001 --to SRVTRF:/in --mode move --priority 1
  3. Would it fit, how long would it take, what would fail?
     ketter jobs create --from LAB:/session_042 --to SRVTRF:/in --mode move --dry-run
  4. From a script, which can be run again and makes no second job:
     ketter jobs create --from LAB:/session_042 --to SRVTRF:/in --mode copy --idempotency-key order-4711 --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.from, "from", "", "the file or folder to transfer: a path, or PORTAL:PATH")
	flags.StringVar(&options.to, "to", "", "the folder that receives it: a path, or PORTAL:PATH")
	flags.StringVar(&options.mode, "mode", "", "copy, or move (the source is removed at the end)")
	flags.StringVar(&options.strategy, "strategy", "auto", "auto, direct (file by file) or zip-first (as one archive)")
	flags.StringVar(&options.verify, "verify", "checksum", "checksum, size or none")
	flags.StringVar(&options.queue, "queue", "", "whose workers run it (else that of a host that reaches both sides)")
	flags.IntVar(&options.priority, "priority", transfer.DefaultPriority, "1 to 4; of the jobs that wait in a queue, 1 goes first")
	flags.StringVar(&options.key, "idempotency-key", "", "one of your own for each job, kept for a day: asking twice makes one job")
	flags.BoolVar(&options.wait, "wait", false, "watch the job until it has ended")
	flags.BoolVar(&options.dryRun, "dry-run", false, "only say what would be done, and record nothing")
	completeJobFlags(cmd, shared)
	return cmd
}

func (o *jobsCreateOptions) run(cmd *cobra.Command) error {
	order, err := o.order(cmd)
	if err != nil {
		return err
	}
	asked, err := newClient(o.api)
	if err != nil {
		return err
	}
	if o.dryRun {
		return o.plan(cmd, asked, order)
	}
	job, err := submit(cmd.Context(), asked, order)
	if err != nil {
		return unsure(err, order.IdempotencyKey)
	}
	if o.wait {
		return o.watch(cmd, asked, job.ID, job.Queue)
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), job)
	} else {
		err = printSubmitted(cmd, asked, job)
	}
	if err != nil { // who types it again makes a second one
		fmt.Fprintf(cmd.ErrOrStderr(), "Job %d is recorded all the same.\n", job.ID)
	}
	return err
}

func (o *jobsCreateOptions) order(cmd *cobra.Command) (order client.Order, err error) {
	order = client.Order{Mode: transfer.Mode(o.mode), Strategy: strategyOf(o.strategy), Verify: transfer.Verify(o.verify), Queue: o.queue,
		Priority: o.priority, IdempotencyKey: o.key}
	wrong := wrongSpec(order.Mode, order.Strategy, order.Verify)
	switch {
	case o.from == "":
		wrong = "--from is missing: name the file or folder to transfer, as /a/path or PORTAL:/path"
	case o.to == "":
		wrong = "--to is missing: name the folder that receives it, as /a/path or PORTAL:/path"
	case o.priority < 1 || o.priority > 4:
		wrong = fmt.Sprintf("--priority must be 1, 2, 3 or 4, not %d; 1 goes first", o.priority)
	case o.dryRun && o.wait:
		wrong = "--dry-run makes no job that --wait could wait for"
	case o.key == "" && cmd.Flags().Changed("idempotency-key"):
		wrong = "--idempotency-key is empty; leave it out, and one is made"
	}
	if wrong != "" {
		return order, usageError(cmd, errors.New(wrong))
	}
	if order.SourcePortal, order.SourcePath, err = placeOfArgument(o.from); err != nil {
		return order, err
	}
	if order.DestinationPortal, order.DestinationPath, err = placeOfArgument(o.to); err != nil {
		return order, err
	}
	if o.key == "" {
		order.IdempotencyKey = "cli-" + rand.Text()
	}
	return order, nil
}

// submit asks again when nobody can say whether the first request arrived. Where nothing listens it didn't.
func submit(ctx context.Context, asked *client.Client, order client.Order) (job client.Job, err error) {
	err = persist(ctx, func(err error) bool {
		var refused *net.OpError
		return !errors.As(err, &refused) || refused.Op != "dial"
	}, func() error {
		job, err = asked.Submit(ctx, order)
		return err
	})
	return job, err
}

// persist does something again, a few seconds long, as long as it fails in a way that may pass.
func persist(ctx context.Context, again func(error) bool, do func() error) error {
	const tries = 4
	for n := 1; ; n++ {
		err := do()
		if err == nil || n == tries || !client.Passes(err) || !again(err) {
			return err
		}
		if waitFor(ctx, time.Duration(n)*500*time.Millisecond) != nil {
			return err
		}
	}
}

func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// unsure says how to find out about a job that may be recorded although no answer came.
func unsure(err error, key string) error {
	var refused *net.OpError
	interrupted := errors.Is(err, context.Canceled)
	if !interrupted && !client.Passes(err) || errors.As(err, &refused) && refused.Op == "dial" {
		return err
	}
	f := *failure.From(err)
	if interrupted {
		f.Message = "Interrupted before the API had answered"
	}
	f.Hint = fmt.Sprintf("The job may be recorded all the same. The same command with --idempotency-key %s finds it, or submits it.", key)
	return &f
}

func printSubmitted(cmd *cobra.Command, asked *client.Client, job client.Job) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Job %d is %s in the queue %s: %s %s to %s\nSee it with `ketter jobs watch %d%s`.\n", job.ID, printable(string(job.Status)),
		printable(job.Queue), printable(string(job.Mode)), placeText(job.SourcePortal, job.SourcePath),
		finalText(job.DestinationPortal, job.DestinationPath, job.SourcePath), job.ID, apiFlag(cmd, asked))
	return err
}
