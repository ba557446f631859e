package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/broker"
	"github.com/ketter/ketter/infra/config"
)

// healthDeadline is less than what a container's health check is commonly granted.
const healthDeadline = 5 * time.Second

// workerSilent is the code of a host of whose worker nothing is heard.
const workerSilent failure.Code = "worker_silent"

func newHealthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say whether the API or the worker beside it lives, for health checks",
		Long: `Is asked by the health check of a container or service, with the environment of the API or worker that it is about. What those lean on
is ` + "`ketter dku`'s" + ` affair: to start them anew would not mend that.

EXIT STATUS
   0          it lives
   any other  it doesn't`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON: docs/cli-json.md")
	cmd.AddCommand(
		newHealthOf("api", "Ask the API that KETTER_LISTEN names for GET /healthz", askAPI),
		newHealthOf("worker", "Look for the heartbeat of this host's worker on REDIS_URL; while Redis is away, whether DB_URL answers", askWorker),
	)
	return cmd
}

func newHealthOf(what, short string, ask func(context.Context, config.Config, io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: what, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthDeadline)
			defer cancel()
			asJSON, err := cmd.Flags().GetBool("json")
			if err != nil || !asJSON {
				return errors.Join(err, ask(ctx, c, cmd.OutOrStdout()))
			}
			var said strings.Builder
			if err := ask(ctx, c, &said); err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), map[string]string{"status": "ok", "message": strings.TrimSpace(said.String())})
		},
	}
}

func askAPI(ctx context.Context, c config.Config, out io.Writer) error {
	api := ownAPI(c, c.Listen)
	options, err := trusting(c, api) // and no token: it isn't asked for one
	if err != nil {
		return err
	}
	asked, err := client.New(api, options...)
	if err != nil {
		return err
	}
	var answer struct{ Status, Version string }
	if err := asked.Get(ctx, "/healthz", &answer); err != nil {
		return err
	}
	if answer.Status != "ok" {
		return failure.New(client.Unreachable, "", fmt.Sprintf("%s does not answer as Ketter does", api))
	}
	fmt.Fprintf(out, "The API answers (version %s).\n", answer.Version)
	return nil
}

// askWorker follows /readyz: a Redis that is away hides the workers, and stops none.
func askWorker(ctx context.Context, c config.Config, out io.Writer) error {
	redis, err := services{config: c, logger: zerolog.Nop()}.openBroker()
	if err != nil {
		return err
	}
	defer redis.Close()
	workers, err := redis.Workers(ctx)
	if err != nil {
		if err := pingDatabase(ctx, c.DBURL); err != nil {
			return err
		}
		fmt.Fprintln(out, "Redis does not answer, so that no heartbeat can be seen; the database answers.")
		return nil
	}
	return findWorker(workers, out)
}

// findWorker goes by the host: a worker's name mostly holds its process's id, which is not this one's.
func findWorker(workers []broker.Worker, out io.Writer) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("asking for this host's name: %w", err)
	}
	for _, w := range workers {
		if w.Host == host {
			fmt.Fprintf(out, "Worker %s lives and runs %d jobs.\n", w.Name, w.Running)
			return nil
		}
	}
	return &failure.Error{
		Code: workerSilent, Message: fmt.Sprintf("no worker of host %s has a fresh heartbeat", host),
		Hint: "Is `ketter worker` running here? Its log says why not.",
	}
}
