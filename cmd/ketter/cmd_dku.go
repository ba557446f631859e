package main

import (
	"github.com/spf13/cobra"

	"github.com/ketter/ketter/dku"
	"github.com/ketter/ketter/httpapi/client"
)

func newDKUCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dku",
		Short: "Ask a running Ketter how it is",
		Long: `Asks the API that KETTER_LISTEN names, and through it PostgreSQL, the schema, Redis and the workers. A part that does not
answer is a verdict, never a hang.

EXIT STATUS
   0  all ok
   1  warnings
   2  failures`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			report := dku.Ask(cmd.Context(), client.Base(c.Listen))
			if err := report.Print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if status := report.ExitStatus(); status != 0 {
				return &exitError{status: status}
			}
			return nil
		},
	}
}
