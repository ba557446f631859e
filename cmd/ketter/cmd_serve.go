package main

import (
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/config"
)

func newServeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the API and River UI, on the database that DB_URL names",
		Long: `Serves the HTTP API and River UI (read-only). Jobs are run by workers: see ` + "`ketter worker`" + `.

Needs DB_URL, REDIS_URL and KETTER_ALLOWED_ROOTS; listens on KETTER_LISTEN: on loopback only,
unless KETTER_API_TOKENS_FILE names who may use it (` + "`ketter tokens create NAME`" + `). SIGTERM stops it in order.`,
		Example: `  DB_URL=postgres://ketter@db/ketter REDIS_URL=redis://redis KETTER_ALLOWED_ROOTS=/mnt/nexis:/mnt/quantum ketter serve`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, logger, err := loadShared()
			if err != nil {
				return err
			}
			listener, err := listen(c, logger)
			if err != nil {
				return err
			}
			defer listener.Close()
			return services{config: c, logger: logger, listener: listener}.run(cmd.Context(), func() {
				logger.Info().Str("version", version).Str("address", listener.Addr().String()).Strs("allowed_roots", c.AllowedRoots).Msg("serving")
			})
		},
	}
}

func newWorkerCommand() *cobra.Command {
	var queues string
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run jobs, on the database that DB_URL names",
		Long: `Runs jobs. Start as many as there are hosts that see the storages. One with a KETTER_WORKER_LABEL runs the jobs of portals
with this label too, whose folders it sees as local paths.

Needs DB_URL, REDIS_URL and KETTER_ALLOWED_ROOTS. SIGTERM lets running jobs go on for KETTER_SOFT_STOP, then gives them
back to the queue without spending an attempt; a second signal ends the process at once.`,
		Example: `  1. Run the jobs of two queues:
     ketter worker --queues default,lab`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, logger, err := loadShared()
			if err != nil {
				return err
			}
			if err := setQueues(&c, queues); err != nil {
				return err
			}
			return services{config: c, logger: logger, works: true}.run(cmd.Context(), func() {
				logger.Info().Str("version", version).Str("worker", c.WorkerName).Strs("queues", c.Queues).Int("concurrency", c.Concurrency).
					Strs("allowed_roots", c.AllowedRoots).Msg("working")
			})
		},
	}
	cmd.Flags().StringVar(&queues, "queues", "", "queues whose jobs it runs, separated by commas (KETTER_QUEUES)")
	return cmd
}

// setQueues puts the flag over the environment.
func setQueues(c *config.Config, list string) error {
	if list == "" {
		return nil
	}
	queues, err := config.Queues(list)
	if err != nil {
		return &failure.Error{Code: failure.InvalidRequest, Message: "--queues: " + err.Error(), Hint: "As --queues default,lab"}
	}
	c.Queues = config.WithLabel(queues, c.WorkerLabel)
	return nil
}

// loadShared is loadService for a process that shares database and storages with others: it needs to be told of both.
func loadShared() (config.Config, zerolog.Logger, error) {
	c, logger, err := loadService()
	if err == nil {
		err = requireDatabase(c)
	}
	if err == nil {
		err = requireRoots(c)
	}
	return c, logger, err
}
