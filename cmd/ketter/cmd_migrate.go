package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	riverjobs "github.com/ketter/ketter/river_jobs"
)

func newMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make, update or revert the database's schema",
		Long: "Runs River's migrations and Ketter's own, under one lock, on the database that DB_URL names. Where that isn't set, up and status " +
			"take that of the `ketter up` that runs on KETTER_STATE_DIR; down and restored take none that isn't named.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON: docs/cli-json.md")
	var deletesData bool
	down := &cobra.Command{
		Use:   "down",
		Short: "Revert the newest migration, and delete the data it had made room for",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !deletesData {
				return &failure.Error{
					Code: failure.InvalidRequest, Message: "Reverting a migration deletes data: jobs, events and history among it",
					Hint: "Make a backup (pg_dump), then say --delete-data.",
				}
			}
			return withNamedStore(cmd, func(ctx context.Context, store *db.Store, url string) error {
				if err := riverjobs.MigrateDown(ctx, store, url); err != nil {
					return err
				}
				return printStatus(ctx, cmd, store)
			})
		},
	}
	down.Flags().BoolVar(&deletesData, "delete-data", false, "yes, delete what the newest migration holds")
	up := &cobra.Command{
		Use: "up", Short: "Bring the schema to this binary's version", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), func(ctx context.Context, store *db.Store, url string) error {
				if err := riverjobs.MigrateUp(ctx, store, url); err != nil {
					return err
				}
				return printStatus(ctx, cmd, store)
			})
		},
	}
	status := &cobra.Command{
		Use: "status", Short: "Show which migrations the database has; fails when they are not this binary's", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), func(ctx context.Context, store *db.Store, _ string) error {
				return printStatus(ctx, cmd, store)
			})
		},
	}
	cmd.AddCommand(up, down, status, newMigrateRestoredCommand())
	return cmd
}

// withStore works on the database that DB_URL names, else on that of the `ketter up` that runs on the state directory.
func withStore(ctx context.Context, work storeWork) error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	if _, err := findServices(&c); err != nil {
		return err
	}
	if err := requireDatabase(c); err != nil {
		return err
	}
	return work.on(ctx, c.DBURL)
}

// withNamedStore is for what must not befall a database by mistake: it works on none that DB_URL doesn't name, and says on which.
func withNamedStore(cmd *cobra.Command, work storeWork) error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	if c.DBURL == "" {
		return &failure.Error{
			Code: failure.InvalidRequest, Message: "DB_URL is not set: this works on no database that isn't named, not even that of a running `ketter up`",
			Hint: "Set DB_URL=postgres://user:password@host:5432/database, that of the database which is meant; nothing was changed.",
		}
	}
	return storeWork(func(ctx context.Context, store *db.Store, url string) error {
		if err := tellStep(cmd, "database", fields{"database": store.Place()}, "Database: %s\n", store.Place()); err != nil {
			return err
		}
		return work(ctx, store, url)
	}).on(cmd.Context(), c.DBURL)
}

type storeWork func(ctx context.Context, store *db.Store, url string) error

func (work storeWork) on(ctx context.Context, url string) error {
	store, err := db.Open(ctx, url, 4)
	if err != nil {
		return err
	}
	defer store.Close()
	return work(ctx, store, url)
}

func printStatus(ctx context.Context, cmd *cobra.Command, store *db.Store) error {
	state, err := riverjobs.Schema(ctx, store)
	if err != nil {
		return err
	}
	river, riverKnown, ketter, ketterKnown := len(state.River), len(state.RiverKnown), len(state.Applied), len(state.AppliedKnown)
	err = tellStep(cmd, "migrations", fields{"river": river, "river_known": riverKnown, "ketter": ketter, "ketter_known": ketterKnown},
		"River's migrations:  %d of %d\nKetter's migrations: %d of %d\n", river, riverKnown, ketter, ketterKnown)
	return errors.Join(err, state.Check())
}

// tellStep says something as text, or as a JSON line.
func tellStep(cmd *cobra.Command, kind string, f fields, format string, args ...any) error {
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON { // it is there: the commands above have it
		return jsonLine(cmd.OutOrStdout(), kind, f)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...)
	return err
}
