package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/embedded"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

// postgresStop is how long the private PostgreSQL may take to end in order.
const postgresStop = 30 * time.Second

type upOptions struct {
	listen, stateDir string
	allowRoots       []string
}

func newUpCommand() *cobra.Command {
	var options upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything in one process: API, worker, a private PostgreSQL and Redis",
		Long: `Runs API, worker, a private PostgreSQL (the machine's own binaries) and a Redis in process. State is kept in --state-dir.
With DB_URL or REDIS_URL set, those are used instead. Ctrl-C stops it all in order; what a killed ` + "`ketter up`" + ` left
alive, the next one adopts.`,
		Example: `  1. Try it, on ./dev_data:
     ketter up
  2. On two storages:
     ketter up --allow-root /mnt/nexis --allow-root /mnt/quantum`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUp(cmd.Context(), cmd.OutOrStdout(), options) },
	}
	cmd.Flags().StringVar(&options.listen, "listen", "", "address of the API (KETTER_LISTEN, 127.0.0.1:8000)")
	cmd.Flags().StringVar(&options.stateDir, "state-dir", "", "where the private PostgreSQL lives (KETTER_STATE_DIR, ./.ketter)")
	cmd.Flags().StringArrayVar(&options.allowRoots, "allow-root", nil,
		"folder below which jobs may read and write, repeatable (KETTER_ALLOWED_ROOTS, else ./dev_data, which is made)")
	return cmd
}

// apply puts the flags over the environment and makes paths absolute.
func (o upOptions) apply(c *config.Config) (err error) {
	if o.listen != "" {
		c.Listen = o.listen
	}
	if o.stateDir != "" {
		c.StateDir = o.stateDir
	}
	if c.StateDir, err = filepath.Abs(c.StateDir); err != nil {
		return err
	}
	if len(o.allowRoots) > 0 {
		c.AllowedRoots = nil
		for _, root := range o.allowRoots {
			if root, err = filepath.Abs(root); err != nil {
				return err
			}
			c.AllowedRoots = append(c.AllowedRoots, root)
		}
	}
	if len(c.AllowedRoots) > 0 {
		return nil
	}
	root, err := filepath.Abs("dev_data")
	if err != nil {
		return err
	}
	c.AllowedRoots = []string{root}
	return os.MkdirAll(root, 0o755)
}

func runUp(ctx context.Context, out io.Writer, options upOptions) (err error) {
	c, logger, err := loadService()
	if err != nil {
		return err
	}
	if err := options.apply(&c); err != nil {
		return err
	}
	release, err := embedded.LockState(c.StateDir)
	if err != nil {
		return err
	}
	defer release()
	listener, err := listen(c, logger)
	if err != nil {
		return err
	}
	defer listener.Close()

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	postgres := "the one DB_URL names"
	if c.DBURL == "" {
		server, startErr := embedded.StartPostgres(ctx, embedded.PostgresOptions{
			StateDir: c.StateDir, BinDir: c.PGBinDir, Ping: pingDatabase, Logger: logger,
		})
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, stopPostgres(server)) }()
		c.DBURL, postgres = server.URL(), server.Describe().String()
		go endWith(ctx, server, fail)
	}
	redisIs := "the one REDIS_URL names"
	if c.RedisURL == "" {
		redis, err := embedded.StartRedis(context.WithoutCancel(ctx)) // it outlives the jobs: Stop ends it
		if err != nil {
			return err
		}
		defer redis.Stop()
		c.RedisURL, redisIs = redis.URL(), "in process"
	}
	if err := migrateUp(ctx, c); err != nil {
		return err
	}
	forget, err := embedded.WriteServices(c.StateDir, embedded.Services{
		API: ownAPI(c, listener.Addr().String()), DBURL: c.DBURL, RedisURL: c.RedisURL, AllowedRoots: c.AllowedRoots,
	})
	if err != nil {
		return err
	}
	defer forget()
	err = services{config: c, logger: logger, listener: listener, works: true}.run(ctx, func() {
		logger.Info().Str("version", version).Str("address", listener.Addr().String()).Str("worker", c.WorkerName).
			Strs("queues", c.Queues).Int("concurrency", c.Concurrency).Strs("allowed_roots", c.AllowedRoots).Msg("up")
		printUp(out, c, listener.Addr(), postgres, redisIs)
	})
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// endWith ends everything when the private PostgreSQL dies: there is nothing to go on with.
func endWith(ctx context.Context, server *embedded.Postgres, fail context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-server.Done():
		fail(fmt.Errorf("the private PostgreSQL ended: %w (its log: %s)", server.Err(), server.Describe().LogPath))
	}
}

func stopPostgres(server *embedded.Postgres) error {
	ctx, cancel := context.WithTimeout(context.Background(), postgresStop)
	defer cancel()
	return server.Stop(ctx)
}

func migrateUp(ctx context.Context, c config.Config) error {
	store, err := db.Open(ctx, c.DBURL, 4)
	if err != nil {
		return err
	}
	defer store.Close()
	return riverjobs.MigrateUp(ctx, store, c.DBURL)
}

func pingDatabase(ctx context.Context, url string) error {
	store, err := db.Open(ctx, url, 1)
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Ping(ctx)
}

func printUp(out io.Writer, c config.Config, listening net.Addr, postgres, redis string) {
	address := ownAPI(c, listening.String())
	fmt.Fprintf(out, "Ketter %s is up.\n  API          %s\n  River UI     %s/riverui/\n", version, address, address)
	fmt.Fprintf(out, "  PostgreSQL   %s\n  Redis        %s\n  worker       %s\n", postgres, redis, c.WorkerName)
	for _, root := range c.AllowedRoots {
		fmt.Fprintf(out, "  jobs may use %s\n", root)
	}
	fmt.Fprintf(out, "Ctrl-C stops it all. A job, from another window:\n"+
		"  ketter jobs create --api %s --from %s/SOURCE --to %s/DESTINATION --mode copy --wait\n", address, c.AllowedRoots[0], c.AllowedRoots[0])
	if c.APITokensFile != "" {
		fmt.Fprintln(out, "It needs a token, in a file that KETTER_API_TOKEN_FILE names there; `ketter tokens create NAME` makes one.")
	}
}
