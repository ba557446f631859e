package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
)

// jobsOptions are those of every command that asks the API about jobs.
type jobsOptions struct {
	api  string
	json bool
}

func newJobsCommand() *cobra.Command {
	jobs := &cobra.Command{
		Use:   "jobs",
		Short: "Submit jobs to a running Ketter, watch, list and cancel them",
		Long: `A job is a copy or a move that a running Ketter carries out: it is queued, a worker runs it, and what became of it stays in the
history. These commands ask the API.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var options jobsOptions
	options.register(jobs)
	jobs.AddCommand(newJobsCreateCommand(&options), newJobsListCommand(&options), newJobsShowCommand(&options), newJobsWatchCommand(&options),
		newJobsCancelCommand(&options), newJobsRetryCommand(&options))
	return jobs
}

func (o *jobsOptions) register(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&o.api, "api", "", "the API to ask, as http://127.0.0.1:8000 (else the one that KETTER_LISTEN names)")
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON: docs/cli-json.md")
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
	return someJobs(cmd, args)
}

func someJobs(cmd *cobra.Command, args []string) error {
	if err := cobra.MinimumNArgs(1)(cmd, args); err != nil {
		return usageError(cmd, err)
	}
	for _, arg := range args {
		if _, err := jobID(arg); err != nil {
			return usageError(cmd, err)
		}
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

// apiExitStatuses is exitStatuses for a command that asks the API about jobs; the API has codes besides.
func apiExitStatuses(besides ...failure.Code) string {
	return exitStatuses(append(besides, failure.Internal, failure.InvalidRequest)...) + apiCodes
}

const apiCodes = "   1  api_unreachable, unauthorized, not_found, database_unavailable"
